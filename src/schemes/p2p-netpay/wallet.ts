import { equalBytes, toHex } from '../../base/bytes.ts';
import { fixedBytes, struct, u8, u32, u64 } from '../../base/struct.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { unseal } from '../../crypto/sealed-to-key.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import type { BrokeredOptions } from '../../payment/brokered.ts';
import { endpointField } from '../../payment/endpoint-field.ts';
import { type Errand, type ErrandEnd, type ErrandNews, Errands } from '../../payment/errands.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import type { Endpoint, StoreWrite } from '../../ports.ts';
import { boughtReply, brokerOperation, buyBody, schemeId, type Touchstone, touchstone } from './messages.ts';
import { isGenuine, marginSeconds, nobody, secondsOf } from './terms.ts';

const chainRecord = struct({
  touchstone,
  secret: fixedBytes(32),
  seed: fixedBytes(32),
  /** 0: it was nowhere yet; 1: it is at `vendor`. */
  out: u8,
  step: u32,
  vendor: fixedBytes(33),
  at: endpointField,
  /** Where it was in the step before; zeros at step 0. */
  from: fixedBytes(33),
  fromAt: endpointField,
});
const sentRecord = struct({ index: u32, unitMsat: u64 });
const memoRecord = struct({ secret: fixedBytes(32), count: u32, unitMsat: u64 });

/** A chain that was bought, and where it is. */
export interface OwnChain {
  readonly touchstone: Touchstone;
  readonly secret: Uint8Array;
  readonly seed: Uint8Array;
  readonly out: number;
  readonly step: number;
  readonly vendor: Uint8Array;
  readonly at: Endpoint;
  readonly from: Uint8Array;
  readonly fromAt: Endpoint;
}

/** Who waits for a purchase: told once, with the chain or with why there is none. */
export type Waiting = (chain: string | undefined, fault: string | undefined) => void;

/** The e-wallet: chains, how far each was spent and where it is; purchases that survive a crash. */
export class NetpayWallet {
  readonly #host: SchemeHost;
  readonly #options: BrokeredOptions;
  readonly #chains: RecordBook<OwnChain>;
  readonly #sent: RecordBook<{ readonly index: number; readonly unitMsat: bigint }>;
  readonly #words = new Map<string, HashChain>();
  readonly errands: Errands;
  /** By hex of the secret of the chain to come. */
  readonly #waiting = new Map<string, Waiting>();
  /** In a session. */
  readonly #used = new Set<string>();
  /**
   * Chains with words left. Not those at a vendor that does not let them go, or that does not take them; nor those spent by an
   * earlier life where our records do not say.
   */
  readonly #good = new Set<string>();
  /** Secrets of chains that were asked for in this life, in hex. */
  readonly #asked = new Set<string>();

  constructor(host: SchemeHost, options: BrokeredOptions) {
    this.#host = host;
    this.#options = options;
    this.#chains = new RecordBook(host.store, 'p2p-netpay/payer/chain/', chainRecord);
    this.#sent = new RecordBook(host.store, 'p2p-netpay/payer/sent/', sentRecord);
    this.errands = new Errands(host, 'p2p-netpay/payer/errand/', (errand, news) => this.#done(errand, news));
    // Of an old copy of our records it is not known where they were first spent: spent anywhere else they would be forked.
    for (const [id, { out }] of this.#chains.entries()) if (out !== 0) this.#good.add(id);
  }

  get(id: string): OwnChain | undefined {
    return this.#chains.get(id);
  }

  sentOf(id: string): number {
    return this.#sent.get(id)?.index ?? 0;
  }

  wordsOf(id: string): HashChain {
    const chain = this.#chains.get(id) as OwnChain;
    const { chain: name, count } = chain.touchstone;
    const words = this.#words.get(id) ?? new HashChain(name, chain.seed, count);
    this.#words.set(id, words);
    return words;
  }

  /** A free chain that is good for so much more, the one that is at that vendor already first. */
  choose(vendor: Uint8Array, msat: bigint, jump: number): string | undefined {
    let elsewhere: string | undefined;
    for (const [id, { touchstone: stone, ...chain }] of this.#free()) {
      if (msat > stone.unitMsat * BigInt(jump)) continue;
      if (stone.unitMsat * BigInt(stone.count - this.sentOf(id)) < msat) continue;
      if (chain.out === 1 && equalBytes(chain.vendor, vendor)) return id;
      elsewhere ??= id;
    }
    return elsewhere;
  }

  /** Those in no session. What is spent or has expired is looked at once. */
  *#free(): Iterable<readonly [id: string, chain: OwnChain]> {
    const now = secondsOf(this.#host.clock.wallMs());
    for (const id of this.#good) {
      if (this.#used.has(id)) continue;
      const chain = this.#chains.get(id) as OwnChain;
      const { expiry, count } = chain.touchstone;
      if (now > expiry - 2 * marginSeconds || this.sentOf(id) >= count) this.#good.delete(id);
      else yield [id, chain];
    }
  }

  /** Takes a chain out of the wallet for a session. */
  use(id: string): void {
    this.#used.add(id);
  }

  release(id: string): void {
    this.#used.delete(id);
    this.#words.delete(id);
  }

  /** It is good for nothing now: what is left of it comes back when it has expired. */
  giveUp(id: string): void {
    this.#good.delete(id);
    this.release(id);
  }

  /** The chain goes to that vendor; durable before it is told to. */
  moveTo(id: string, vendor: Uint8Array, at: Endpoint): StoreWrite {
    const chain = this.#chains.get(id) as OwnChain;
    const same = chain.out === 1 && equalBytes(chain.vendor, vendor);
    if (chain.out === 0 || same) return this.#chains.put(id, { ...chain, out: 1, vendor, at });
    const { step, vendor: from, at: fromAt } = chain;
    return this.#chains.put(id, { ...chain, step: step + 1, vendor, at, from, fromAt });
  }

  spend(id: string, index: number): readonly StoreWrite[] {
    const { unitMsat } = (this.#chains.get(id) as OwnChain).touchstone;
    return index > this.sentOf(id) ? [this.#sent.put(id, { index, unitMsat })] : [];
  }

  /** Asks the broker for a chain, unless one is on its way that nobody waits for. */
  buy(count: number, unitMsat: bigint, waiting: Waiting): void {
    for (const { memo } of this.errands.underWay) {
      const asked = memoRecord.decode(memo);
      if (asked === undefined || asked.count < count || asked.unitMsat !== unitMsat) continue;
      if (this.#waiting.has(toHex(asked.secret)) || !this.#asked.has(toHex(asked.secret))) continue;
      this.#waiting.set(toHex(asked.secret), waiting);
      return;
    }
    const { entropy } = this.#host;
    const key = SigningKey.fresh(entropy);
    const body = buyBody.encode({ operation: brokerOperation.buy, user: key.publicKey, count, unitMsat });
    const request = makeAccountRequest(this.#options.account, entropy, body);
    this.#waiting.set(toHex(key.secret), waiting);
    this.#asked.add(toHex(key.secret));
    const memo = memoRecord.encode({ secret: key.secret, count, unitMsat });
    this.errands.send({ to: this.#options.broker.endpoint, scheme: schemeId, request, memo });
  }

  #done({ memo }: Errand, news: ErrandNews): ErrandEnd {
    const asked = memoRecord.decode(memo);
    if (asked === undefined) return [];
    const name = toHex(asked.secret);
    const waiting = this.#waiting.get(name);
    this.#waiting.delete(name);
    if ('fault' in news) {
      waiting?.(undefined, news.fault);
      return news.fault === 'overspent' ? [] : 'again';
    }
    const bought = this.#open(asked, news.reply);
    if (bought === undefined) {
      waiting?.(undefined, 'malformed');
      return 'again';
    }
    const { chain, words } = bought;
    const id = toHex(chain.touchstone.chain);
    const write = this.#chains.put(id, chain);
    if (this.#asked.delete(name)) this.#good.add(id);
    // Whoever waits spends it now; made anew, its words would cost as many hashes again.
    if (waiting !== undefined) this.#words.set(id, words);
    waiting?.(id, undefined);
    return [write];
  }

  /** The chain that was asked for; undefined when this is none, or another. */
  #open(
    asked: { readonly secret: Uint8Array; readonly count: number },
    reply: Uint8Array,
  ): { readonly chain: OwnChain; readonly words: HashChain } | undefined {
    const bought = boughtReply.decode(reply);
    if (bought === undefined) return undefined;
    const { touchstone: stone } = bought;
    const key = new SigningKey(asked.secret);
    const seed = unseal(key, bought.seed);
    if (seed?.length !== 32 || !isGenuine(stone, this.#options.broker.key)) return undefined;
    if (!equalBytes(stone.user, key.publicKey) || stone.count !== asked.count) return undefined;
    const words = new HashChain(stone.chain, seed, stone.count);
    if (!equalBytes(words.root, stone.root)) return undefined;
    const at = { host: '0.0.0.0', port: 0 };
    const nowhere = { out: 0, step: 0, vendor: nobody, at, from: nobody, fromAt: at };
    return { chain: { touchstone: stone, secret: asked.secret, seed, ...nowhere }, words };
  }
}
