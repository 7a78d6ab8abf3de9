import { equalBytes, toHex } from '../../base/bytes.ts';
import { fixedBytes, sizedBytes, struct, u16, u32 } from '../../base/struct.ts';
import { isPublicKey } from '../../crypto/ecdsa.ts';
import { sealTo } from '../../crypto/sealed-to-key.ts';
import type { AccountKey, BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import { HashChain, leadsTo } from '../../payment/hash-chain.ts';
import type { CheatProof } from '../../payment/proof.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { type PaymentStatusName, refused, type Served, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import {
  boughtReply,
  brokerOperation,
  buyBody,
  type Claim,
  claim,
  claimBody,
  claimedReply,
  type Index,
  index,
  schemeId,
  type Touchstone,
  touchstone,
  type Visit,
  visit,
} from './messages.ts';
import { contradict, forked, handedTwice, overclaimed } from './proofs.ts';
import { countMax, holdSeconds, isVisit, leadsHere, secondsOf, stepId } from './terms.ts';

const chainRecord = struct({ touchstone, account: fixedBytes(33), paid: u32 });
/** `taken`: words above `claim.first` that were paid for, up to there. */
const segmentRecord = struct({ claim, visit, from: sizedBytes(u16, 400), taken: u32 });

interface Segment {
  readonly claim: Claim;
  readonly visit: Visit;
  readonly from: Uint8Array;
  readonly taken: number;
}

/**
 * The broker's side: it makes the chains, so it alone could forge them, and pays each word to one vendor. Where two
 * vendors redeem the same words somebody has signed two things that cannot both be, and is found by them.
 */
export class NetpayBroker implements BrokerSide {
  readonly #host: BrokerHost;
  readonly #chains: RecordBook<{
    readonly touchstone: Touchstone;
    readonly account: Uint8Array;
    readonly paid: number;
  }>;
  /** By chain and step. */
  readonly #segments: RecordBook<Segment>;

  constructor(host: BrokerHost) {
    this.#host = host;
    this.#chains = new RecordBook(host.store, 'p2p-netpay/broker/chain/', chainRecord);
    this.#segments = new RecordBook(host.store, 'p2p-netpay/broker/segment/', segmentRecord);
  }

  serve(request: Uint8Array): Served {
    return this.#host.once(request, (account, body) => {
      if (body[0] === brokerOperation.buy) return this.#buy(account, body);
      if (body[0] === brokerOperation.claim) return this.#claim(account, body);
      return refused('malformed');
    });
  }

  outstandingMsat(): Value {
    let sum = 0n;
    for (const [, { touchstone: stone, paid }] of this.#chains.entries())
      sum += stone.unitMsat * BigInt(stone.count - paid);
    return sum;
  }

  /** What nobody has redeemed of a chain that has expired goes back to whoever bought it. */
  onTick(): readonly StoreWrite[] {
    const now = this.#now;
    const writes: StoreWrite[] = [];
    for (const [id, { touchstone: stone, account, paid }] of [...this.#chains.entries()]) {
      if (stone.expiry >= now) continue;
      const left = stone.unitMsat * BigInt(stone.count - paid);
      writes.push(...this.#host.accounts.deposit(schemeId, account, left), this.#chains.drop(id));
      for (const [step] of this.#segmentsOf(id)) writes.push(this.#segments.drop(step));
    }
    return writes;
  }

  get #now(): number {
    return secondsOf(this.#host.clock.wallMs());
  }

  #segmentsOf(chain: string): readonly (readonly [string, Segment])[] {
    return [...this.#segments.entries()].filter(([id]) => id.startsWith(`${chain}/`));
  }

  #buy(account: AccountKey, body: Uint8Array): Served {
    const said = buyBody.decode(body);
    if (said === undefined || !isPublicKey(said.user)) return refused('malformed');
    const { user, count, unitMsat } = said;
    if (count === 0 || count > countMax || unitMsat === 0n || unitMsat > 2n ** 40n)
      return refused('badTerms');
    const { accounts, entropy, key } = this.#host;
    const issued = accounts.issue(schemeId, account, unitMsat * BigInt(count));
    if (issued === undefined) return refused('overspent');
    const [chain, seed] = [entropy.bytes(16), entropy.bytes(32)];
    const stone = touchstone.sign(key, {
      chain,
      user,
      root: new HashChain(chain, seed, count).root,
      unitMsat,
      count,
      expiry: this.#now + holdSeconds,
    });
    const record = this.#chains.put(toHex(chain), { touchstone: stone, account, paid: 0 });
    const reply = boughtReply.encode({ touchstone: stone, seed: sealTo(user, seed, entropy) });
    return { kind: 'reply', reply, persist: [...issued, record] };
  }

  #claim(account: AccountKey, body: Uint8Array): Served {
    const said = claimBody.decode(body);
    if (said === undefined) return refused('malformed');
    const { claim: claimed, visit: here } = said;
    const record = this.#chains.get(toHex(claimed.chain));
    if (record === undefined) return refused('unknownChannel');
    const from = said.from.length === 0 ? undefined : index.decode(said.from);
    const fault = this.#judge(account, record.touchstone, claimed, here, from);
    if (fault !== undefined) return refused(fault);
    return this.#pay(record.touchstone, { claim: claimed, visit: here, from: said.from, taken: 0 }, from);
  }

  /** What of a claim is not as it must be, whatever others claim. */
  #judge(
    account: AccountKey,
    stone: Touchstone,
    claimed: Claim,
    here: Visit,
    from: Index | undefined,
  ): PaymentStatusName | undefined {
    const { chain, step, vendor, first, last, word } = claimed;
    if (!equalBytes(vendor, account) || !equalBytes(here.vendor, vendor)) return 'badTerms';
    if (here.step !== step || !equalBytes(here.chain, chain)) return 'badTerms';
    if (!claim.isBy(vendor, claimed) || !isVisit(here, stone)) return 'badSignature';
    if (last > stone.count || first > last) return 'overspent';
    if (step === 0 ? first !== 0 || from !== undefined : from === undefined) return 'badTerms';
    // Below its Index a vendor has received nothing.
    if (from !== undefined && (!leadsHere(from, here) || from.index !== first)) return 'badTerms';
    return leadsTo(chain, stone.root, word, last) ? undefined : 'badSignature';
  }

  #pay(stone: Touchstone, segment: Segment, from: Index | undefined): Served {
    const { claim: claimed } = segment;
    const chain = toHex(stone.chain);
    const id = stepId(stone.chain, claimed.step);
    const others = this.#segmentsOf(chain).filter(
      ([step, other]) => step !== id || !equalBytes(other.claim.vendor, claimed.vendor),
    );
    const own = this.#segments.get(id);
    const mine = own !== undefined && equalBytes(own.claim.vendor, claimed.vendor) ? own : undefined;
    const proof = this.#conflict(
      stone,
      segment,
      from,
      others.map(([, other]) => other),
    );
    const paid = new Set<number>();
    for (const [, other] of others)
      for (let word = other.claim.first; word < other.taken; word++) paid.add(word);
    let more = 0;
    const already = mine?.taken ?? claimed.first;
    // Words that the vendor itself gave away are not its own any more.
    const end =
      this.#handedAt(
        claimed,
        others.map(([, other]) => other),
      ) ?? claimed.last;
    for (let word = already; word < Math.min(end, claimed.last); word++) if (!paid.has(word)) more += 1;
    const record = this.#chains.get(chain);
    if (record === undefined) return refused('unknownChannel');
    const { accounts, file } = this.#host;
    const worth = stone.unitMsat * BigInt(more);
    const persist: StoreWrite[] = [
      ...accounts.deposit(schemeId, claimed.vendor, worth),
      this.#chains.put(chain, { ...record, paid: record.paid + more }),
    ];
    // A second vendor of one step keeps its claim apart: the first one's is evidence too.
    const place = own === undefined || mine !== undefined ? id : `${id}/${toHex(claimed.vendor)}`;
    persist.push(
      this.#segments.put(place, { ...segment, taken: Math.max(already, Math.min(end, claimed.last)) }),
    );
    if (proof !== undefined) persist.push(...file(proof));
    const creditedMsat = worth + stone.unitMsat * BigInt(already - claimed.first);
    return { kind: 'reply', reply: claimedReply.encode({ last: claimed.last, creditedMsat }), persist };
  }

  /** Where the claimant handed the chain on, as the next vendor's claim shows. */
  #handedAt(claimed: Claim, others: readonly Segment[]): number | undefined {
    for (const other of others) {
      const handed = other.from.length === 0 ? undefined : index.decode(other.from);
      if (handed?.step === claimed.step && equalBytes(handed.from, claimed.vendor)) return handed.index;
    }
    return undefined;
  }

  /** Who has said two things that cannot both be, if these claims show it. */
  #conflict(
    stone: Touchstone,
    segment: Segment,
    from: Index | undefined,
    others: readonly Segment[],
  ): CheatProof | undefined {
    for (const other of others) {
      if (contradict(segment.visit, other.visit)) return forked(stone, segment.visit, other.visit);
      const handed = other.from.length === 0 ? undefined : index.decode(other.from);
      if (handed !== undefined && isBeyond(segment.claim, handed)) return overclaimed(segment.claim, handed);
      if (from !== undefined && isBeyond(other.claim, from)) return overclaimed(other.claim, from);
      if (from !== undefined && handed !== undefined && isTwice(from, handed))
        return handedTwice(from, handed);
    }
    return undefined;
  }
}

function isBeyond(claimed: Claim, handed: Index): boolean {
  return (
    claimed.step === handed.step && equalBytes(claimed.vendor, handed.from) && claimed.last > handed.index
  );
}

function isTwice(a: Index, b: Index): boolean {
  return a.step === b.step && equalBytes(a.from, b.from) && (!equalBytes(a.to, b.to) || a.index !== b.index);
}
