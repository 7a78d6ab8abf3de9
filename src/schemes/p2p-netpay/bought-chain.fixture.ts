import { expect } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { AccountHolder, type BrokerDisk, BrokerLab } from '../../broker/broker-lab.fixture.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { unseal } from '../../crypto/sealed-to-key.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { p2pNetpay } from './index.ts';
import {
  boughtReply,
  brokerOperation,
  buyBody,
  claim,
  claimBody,
  claimedReply,
  index,
  schemeId,
  visit,
} from './messages.ts';
import { holdSeconds, nobody } from './terms.ts';

const unitMsat = 1_000n;
const startSat = 100_000n;

/** A chain that was bought, vendors with accounts, and what each of them would sign. */
export class Scene {
  readonly broker: BrokerLab;
  readonly buyer: AccountHolder;
  readonly vendors: readonly AccountHolder[];
  readonly user = new SigningKey(new Uint8Array(32).fill(51));
  readonly #shop: AccountHolder;
  readonly stone;
  readonly words: HashChain;

  constructor(disk?: BrokerDisk) {
    this.broker = new BrokerLab('netpay', [p2pNetpay], 1, false, disk);
    const holder = (name: string, at: number) =>
      new AccountHolder(this.broker, name, new SigningKey(new Uint8Array(32).fill(at)));
    this.buyer = holder('buyer', 50);
    this.vendors = ['first', 'second', 'third'].map((name, at) => holder(name, 60 + at));
    this.#shop = holder('shop', 70);
    this.broker.fund(this.buyer, startSat);
    const [stone, words] = this.#bought(this.buyer, 100, unitMsat);
    this.stone = stone;
    this.words = words;
    expect(this.words.root).toEqual(this.stone.root);
  }

  /** What the broker says to whoever wants a chain. */
  buy(holder = this.buyer, count = 100, unit = unitMsat) {
    const body = buyBody.encode({
      operation: brokerOperation.buy,
      user: this.user.publicKey,
      count,
      unitMsat: unit,
    });
    const { broker } = this;
    return broker.ask(holder, schemeId, broker.request(holder, body));
  }

  #bought(holder: AccountHolder, count: number, unit: bigint) {
    const bought = boughtReply.decode(this.buy(holder, count, unit).reply ?? new Uint8Array(0));
    if (bought === undefined) throw new Error('no chain was sold');
    const { touchstone: stone } = bought;
    const seed = unseal(this.user, bought.seed);
    return [stone, new HashChain(stone.chain, seed ?? new Uint8Array(32), count)] as const;
  }

  /** Money of an account goes to somebody else for good. */
  spend(holder: AccountHolder, msat: bigint): void {
    const [{ chain }, words] = this.#bought(holder, 1, msat);
    const vendor = this.#shop.key.publicKey;
    const here = visit.sign(this.user, { chain, step: 0, vendor, from: nobody, nonce: new Uint8Array(16) });
    const said = { chain, step: 0, vendor, first: 0, last: 1, word: words.word(1) };
    const body = claimBody.encode({
      operation: brokerOperation.claim,
      claim: claim.sign(this.#shop.key, said),
      visit: here,
      from: new Uint8Array(0),
    });
    const { broker } = this;
    expect(broker.ask(this.#shop, schemeId, broker.request(this.#shop, body)).fault).toBeUndefined();
  }

  key(vendor: number): Uint8Array {
    return this.vendors[vendor].key.publicKey;
  }

  visit(step: number, vendor: number, from?: number) {
    return visit.sign(this.user, {
      chain: this.stone.chain,
      step,
      vendor: this.key(vendor),
      from: from === undefined ? nobody : this.key(from),
      nonce: new Uint8Array(16),
    });
  }

  index(step: number, from: number, to: number, at: number) {
    const said = { chain: this.stone.chain, step, from: this.key(from), to: this.key(to), index: at };
    return index.sign(this.vendors[from].key, { ...said, word: this.words.word(at) });
  }

  claim(step: number, vendor: number, first: number, last: number) {
    const said = { chain: this.stone.chain, step, vendor: this.key(vendor), first, last };
    return claim.sign(this.vendors[vendor].key, { ...said, word: this.words.word(last) });
  }

  /** Hands a claim in; ends with what was credited in words, or the word of the refusal. */
  redeem(
    said: ReturnType<Scene['claim']>,
    here: ReturnType<Scene['visit']>,
    from?: ReturnType<Scene['index']>,
  ): number | string {
    const { broker } = this;
    const vendor = this.vendors.find(({ key }) => toHex(key.publicKey) === toHex(said.vendor));
    if (vendor === undefined) throw new Error('a claim of nobody');
    const body = claimBody.encode({
      operation: brokerOperation.claim,
      claim: said,
      visit: here,
      from: from === undefined ? new Uint8Array(0) : index.encode(from),
    });
    const { reply, fault } = broker.ask(vendor, schemeId, broker.request(vendor, body));
    broker.expectBacked();
    const credited = reply === undefined ? undefined : claimedReply.decode(reply)?.creditedMsat;
    return credited === undefined ? (fault ?? '') : Number(credited / unitMsat);
  }

  /** Whom the broker's evidence convicts. */
  convicted(): string[] {
    return this.broker.proofs.map(proof => {
      const verdict = p2pNetpay.judge(proof);
      return verdict.guilty === undefined ? 'nobody' : toHex(verdict.guilty);
    });
  }

  /** What its vendors have, in words; below 0: owe. */
  get earned(): number[] {
    return this.vendors.map(({ key }) => Number(this.broker.heldMsat(key.publicKey) / unitMsat));
  }

  get paid(): number {
    return this.earned.reduce((all, words) => all + words, 0);
  }

  /** Words that the broker has taken for itself. */
  get fined(): number {
    return Number(this.broker.heldMsat(this.broker.key.publicKey) / unitMsat);
  }

  /** Words that are the buyer's no more. */
  get charged(): number {
    const { broker } = this;
    const left = broker.core.outstandingMsat.get(schemeId) ?? 0n;
    return Number((startSat * 1_000n - broker.heldMsat(this.buyer.key.publicKey) - left) / unitMsat);
  }

  /** The chain expires, and the broker gives back what is left. */
  expire(): void {
    const { broker } = this;
    broker.world.runFor((holdSeconds + 10) * 1_000);
    broker.process.turn(() => broker.core.tick());
    broker.run(1_000);
    broker.expectBacked();
  }
}
