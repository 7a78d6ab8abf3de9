import { equalBytes, toHex } from '../../base/bytes.ts';
import { fixedBytes, restBytes, sizedBytes, struct, u8, u16, u32 } from '../../base/struct.ts';
import { isPublicKey } from '../../crypto/ecdsa.ts';
import { sealTo } from '../../crypto/sealed-to-key.ts';
import type { AccountKey, BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import type { CheatProof } from '../../payment/proof.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { type PaymentStatusName, refused, type Served, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import { isWord, marksOf } from './marks.ts';
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
import {
  countMax,
  holdSeconds,
  isVisit,
  leadsHere,
  proofsMax,
  secondsOf,
  sparesMax,
  stepId,
  unitMsat as unitMsatMin,
} from './terms.ts';

/** `proofs`: so many were filed. */
const chainRecord = struct({ touchstone, account: fixedBytes(33), paid: u32, proofs: u8 });
const marksRecord = struct({ marks: restBytes });
/** `taken`: words above `claim.first` that were paid for, up to there. */
const segmentRecord = struct({ claim, visit, from: sizedBytes(u16, 400), taken: u32 });

interface Chain {
  readonly touchstone: Touchstone;
  readonly account: Uint8Array;
  readonly paid: number;
  readonly proofs: number;
}

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
  readonly #chains: RecordBook<Chain>;
  readonly #marks: RecordBook<{ readonly marks: Uint8Array }>;
  /** By chain and step. A second vendor of one step has its own: the first one's is evidence too. */
  readonly #segments: RecordBook<Segment>;
  /** Names of a chain's segments. */
  readonly #places = new Map<string, Set<string>>();

  constructor(host: BrokerHost) {
    this.#host = host;
    this.#chains = new RecordBook(host.store, 'p2p-netpay/broker/chain/', chainRecord);
    this.#segments = new RecordBook(host.store, 'p2p-netpay/broker/segment/', segmentRecord);
    this.#marks = new RecordBook(host.store, 'p2p-netpay/broker/marks/', marksRecord);
    for (const [place, { claim: claimed }] of this.#segments.entries())
      this.#placesOf(toHex(claimed.chain)).add(place);
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
      writes.push(...this.#host.accounts.deposit(schemeId, account, left));
      writes.push(this.#chains.drop(id), this.#marks.drop(id));
      for (const place of this.#placesOf(id)) writes.push(this.#segments.drop(place));
      this.#places.delete(id);
    }
    return writes;
  }

  get #now(): number {
    return secondsOf(this.#host.clock.wallMs());
  }

  #placesOf(chain: string): Set<string> {
    const places = this.#places.get(chain) ?? new Set<string>();
    this.#places.set(chain, places);
    return places;
  }

  /** Segments of a chain but the one at that place. */
  #besides(chain: string, place: string): readonly Segment[] {
    return [...this.#placesOf(chain)].flatMap(each => {
      const segment = each === place ? undefined : this.#segments.get(each);
      return segment === undefined ? [] : [segment];
    });
  }

  /** Where the claimant's segment of its step is, or is to be. */
  #placeOf({ chain, step, vendor }: Claim): string {
    const id = stepId(chain, step);
    const first = this.#segments.get(id);
    return first === undefined || equalBytes(first.claim.vendor, vendor) ? id : `${id}/${toHex(vendor)}`;
  }

  #buy(account: AccountKey, body: Uint8Array): Served {
    const said = buyBody.decode(body);
    if (said === undefined || !isPublicKey(said.user)) return refused('malformed');
    const { user, count, unitMsat } = said;
    if (count === 0 || count > countMax || unitMsat < unitMsatMin || unitMsat > 2n ** 40n)
      return refused('badTerms');
    const { accounts, entropy, key } = this.#host;
    const issued = accounts.issue(schemeId, account, unitMsat * BigInt(count));
    if (issued === undefined) return refused('overspent');
    const [chain, seed] = [entropy.bytes(16), entropy.bytes(32)];
    const { root, marks } = marksOf(chain, seed, count);
    const terms = { unitMsat, count, expiry: this.#now + holdSeconds };
    const stone = touchstone.sign(key, { chain, user, root, ...terms });
    const id = toHex(chain);
    const records = [
      this.#chains.put(id, { touchstone: stone, account, paid: 0, proofs: 0 }),
      this.#marks.put(id, { marks }),
    ];
    const reply = boughtReply.encode({ touchstone: stone, seed: sealTo(user, seed, entropy) });
    return { kind: 'reply', reply, persist: [...issued, ...records] };
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
    return this.#pay(record, { claim: claimed, visit: here, from: said.from, taken: 0 }, from);
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
    const marks = this.#marks.get(toHex(chain))?.marks;
    return marks !== undefined && isWord(stone, marks, last, word) ? undefined : 'badSignature';
  }

  #pay(record: Chain, segment: Segment, from: Index | undefined): Served {
    const { touchstone: stone } = record;
    const { claim: claimed } = segment;
    const chain = toHex(stone.chain);
    const place = this.#placeOf(claimed);
    const mine = this.#segments.get(place);
    if (mine !== undefined && !isSameStay(mine, segment, from))
      return this.#contradicted(record, mine, segment, from);
    const others = this.#besides(chain, place);
    // Words that the vendor itself gave away are not its own any more.
    const end = Math.min(this.#handedAt(claimed, others) ?? claimed.last, claimed.last);
    const already = mine?.taken ?? claimed.first;
    const more = unpaid(already, end, others);
    if (record.paid + more > stone.count) return refused('overspent');
    // Who is paid nothing may still have evidence, but not without end.
    if (mine === undefined && more === 0 && others.length >= record.paid + sparesMax)
      return refused('overspent');
    const proof = record.proofs < proofsMax ? this.#conflict(stone, segment, from, others) : undefined;
    this.#placesOf(chain).add(place);
    const { accounts, file } = this.#host;
    const worth = stone.unitMsat * BigInt(more);
    const proofs = record.proofs + (proof === undefined ? 0 : 1);
    const known = mine !== undefined && mine.claim.last > claimed.last ? mine : segment;
    const persist: StoreWrite[] = [
      ...accounts.deposit(schemeId, claimed.vendor, worth),
      this.#chains.put(chain, { ...record, paid: record.paid + more, proofs }),
      this.#segments.put(place, { ...known, taken: Math.max(already, end) }),
      ...(proof === undefined ? [] : file(proof)),
    ];
    const creditedMsat = worth + stone.unitMsat * BigInt(already - claimed.first);
    return { kind: 'reply', reply: claimedReply.encode({ last: claimed.last, creditedMsat }), persist };
  }

  /** A vendor's stay begins where it said first: from elsewhere nothing is paid, and somebody has signed two things. */
  #contradicted(record: Chain, mine: Segment, segment: Segment, from: Index | undefined): Served {
    const { touchstone: stone, proofs } = record;
    const before = index.decode(mine.from);
    let proof: CheatProof | undefined;
    if (contradict(mine.visit, segment.visit)) proof = forked(stone, mine.visit, segment.visit);
    else if (before !== undefined && from !== undefined && isTwice(before, from))
      proof = handedTwice(before, from);
    if (proof === undefined || proofs >= proofsMax) return refused('badTerms');
    const counted = this.#chains.put(toHex(stone.chain), { ...record, proofs: proofs + 1 });
    const reply = claimedReply.encode({ last: mine.claim.last, creditedMsat: 0n });
    return { kind: 'reply', reply, persist: [counted, ...this.#host.file(proof)] };
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

/** True when both tell of one stay: it came from the same vendor, at the same word. */
function isSameStay(mine: Segment, said: Segment, from: Index | undefined): boolean {
  if (contradict(mine.visit, said.visit) || mine.claim.first !== said.claim.first) return false;
  const before = index.decode(mine.from);
  if (before === undefined || from === undefined) return before === from;
  return equalBytes(before.from, from.from) && !isTwice(before, from);
}

/** Words above `from`, up to `to`, that none of these was paid for. */
function unpaid(from: number, to: number, segments: readonly Segment[]): number {
  const paid = segments.map(({ claim: { first }, taken }) => [first, taken] as const);
  let [at, words] = [from, 0];
  for (const [first, taken] of paid.sort(([a], [b]) => a - b)) {
    if (first >= to) break;
    if (first > at) words += first - at;
    at = Math.max(at, taken);
  }
  return words + Math.max(0, to - at);
}

function isBeyond(claimed: Claim, handed: Index): boolean {
  return (
    claimed.step === handed.step && equalBytes(claimed.vendor, handed.from) && claimed.last > handed.index
  );
}

function isTwice(a: Index, b: Index): boolean {
  return a.step === b.step && equalBytes(a.from, b.from) && (!equalBytes(a.to, b.to) || a.index !== b.index);
}
