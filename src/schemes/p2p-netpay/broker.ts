import { assert } from '../../base/assert.ts';
import { equalBytes, toHex } from '../../base/bytes.ts';
import { fixedBytes, restBytes, sizedBytes, struct, u8, u16, u32 } from '../../base/struct.ts';
import { isPublicKey } from '../../crypto/ecdsa.ts';
import { sealTo } from '../../crypto/sealed-to-key.ts';
import type { AccountKey, BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import type { CheatProof } from '../../payment/proof.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { type PaymentStatusName, refused, type Served, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import {
  cameWith,
  endOf,
  handedIn,
  isSameStay,
  newProofs,
  rivalStays,
  type Segment,
  shortOf,
  unpaid,
} from './disputes.ts';
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
import {
  countMax,
  graceSeconds,
  holdSeconds,
  isVisit,
  leadsHere,
  proofsMax,
  secondsOf,
  sparesMax,
  stepId,
  unitMsat as unitMsatMin,
} from './terms.ts';

const chainRecord = struct({ touchstone, account: fixedBytes(33), paid: u32, retold: u8, forked: u8 });
const marksRecord = struct({ marks: restBytes });
const segmentRecord = struct({ claim, visit, from: sizedBytes(u16, 400), taken: u32, paid: u32 });

interface Chain {
  readonly touchstone: Touchstone;
  readonly account: Uint8Array;
  /** Words that were paid for out of what the chain was bought for. */
  readonly paid: number;
  /** Second stories that vendors told of one stay, and that were filed. */
  readonly retold: number;
  /** 1: its user is proven to have taken it to two places at once. */
  readonly forked: number;
}

/**
 * The broker's side: it makes the chains, so it alone could forge them, and pays each word to one vendor. Where two
 * vendors redeem the same words somebody has signed two things that cannot both be, is found by them, and pays: a vendor gives back
 * what it had beyond its Index, and whoever took a chain to two places at once pays each vendor there, by what is left of the chain
 * and then by its account.
 */
export class NetpayBroker implements BrokerSide {
  readonly #host: BrokerHost;
  /** Seconds since 1970. */
  readonly #begun: number;
  readonly #chains: RecordBook<Chain>;
  readonly #marks: RecordBook<{ readonly marks: Uint8Array }>;
  /** By chain and step. A second vendor of one step has its own: the first one's is evidence too. */
  readonly #segments: RecordBook<Segment>;
  /** Names of a chain's segments. */
  readonly #places = new Map<string, Set<string>>();

  constructor(host: BrokerHost) {
    this.#host = host;
    this.#begun = this.#now;
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
    if (now < this.#begun + graceSeconds) return [];
    const writes: StoreWrite[] = [];
    for (const [id, { touchstone: stone, account }] of [...this.#chains.entries()]) {
      if (stone.expiry >= now) continue;
      writes.push(...this.#collect(id));
      const left = stone.unitMsat * BigInt(stone.count - this.#chainOf(id).paid);
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
  #besides(chain: string, place?: string): readonly Segment[] {
    return [...this.#placesOf(chain)].flatMap(each => {
      const segment = each === place ? undefined : this.#segments.get(each);
      return segment === undefined ? [] : [segment];
    });
  }

  #chainOf(id: string): Chain {
    const record = this.#chains.get(id);
    assert(record !== undefined, 'what is settled is of a chain that was sold');
    return record;
  }

  /** Where the claimant's segment of its step is, or is to be. */
  #placeOf({ chain, step, vendor }: Pick<Claim, 'chain' | 'step' | 'vendor'>): string {
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
      this.#chains.put(id, { touchstone: stone, account, paid: 0, retold: 0, forked: 0 }),
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
    const { first } = claimed;
    return this.#pay(record, { claim: claimed, visit: here, from: said.from, taken: first, paid: 0 });
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

  #pay(record: Chain, segment: Segment): Served {
    const { touchstone: stone } = record;
    const { claim: claimed } = segment;
    const chain = toHex(stone.chain);
    const place = this.#placeOf(claimed);
    const mine = this.#segments.get(place);
    if (mine !== undefined && !isSameStay(mine, segment)) return this.#retold(record, mine, segment);
    const others = this.#besides(chain, place);
    // Who is paid nothing may still have evidence, and words may go from vendor to vendor, but not without end.
    const most = unpaid(claimed.first, claimed.last, others) === 0 ? record.paid : stone.count;
    if (mine === undefined && others.length >= most + sparesMax) return refused('overspent');
    const proofs = newProofs(stone, mine, segment, others);
    const known = mine !== undefined && mine.claim.last > claimed.last ? mine : segment;
    const { taken, paid } = mine ?? segment;
    this.#placesOf(chain).add(place);
    const persist: StoreWrite[] = [
      ...this.#host.accounts.deposit(schemeId, claimed.vendor, 0n),
      this.#segments.put(place, { ...known, taken, paid }),
      ...this.#convict(chain, proofs),
      ...this.#settle(chain, place),
      ...this.#makeWhole(chain),
    ];
    const creditedMsat = stone.unitMsat * BigInt(this.#segments.get(place)?.paid ?? 0);
    return { kind: 'reply', reply: claimedReply.encode({ last: claimed.last, creditedMsat }), persist };
  }

  /** A vendor's stay begins where it said first: from elsewhere nothing is paid, and somebody has signed two things. */
  #retold(record: Chain, mine: Segment, segment: Segment): Served {
    const { touchstone: stone, retold } = record;
    const proofs = rivalStays(stone, mine, segment);
    if (proofs.length === 0 || retold >= proofsMax) return refused('badTerms');
    const chain = toHex(stone.chain);
    const persist = [
      this.#chains.put(chain, { ...record, retold: retold + 1 }),
      ...this.#convict(chain, proofs),
      ...this.#makeWhole(chain),
    ];
    const reply = claimedReply.encode({ last: mine.claim.last, creditedMsat: 0n });
    return { kind: 'reply', reply, persist };
  }

  /** Each proof is filed, of a user that forks its chain the first. */
  #convict(chain: string, proofs: readonly CheatProof[]): readonly StoreWrite[] {
    const record = this.#chainOf(chain);
    const isFork = ({ cheat }: CheatProof) => cheat === 'forked';
    const filed = proofs.filter(proof => !(isFork(proof) && record.forked === 1));
    const writes = filed.flatMap(proof => this.#host.file(proof));
    if (!filed.some(isFork)) return writes;
    return [...writes, this.#chains.put(chain, { ...record, forked: 1 })];
  }

  /** Pays a vendor for its own words that nobody was paid for, after those that its Index takes back from the vendor before. */
  #settle(chain: string, place: string): readonly StoreWrite[] {
    const segment = this.#segments.get(place);
    if (segment === undefined) return [];
    const takenBack = this.#takeBack(chain, segment);
    const others = this.#besides(chain, place);
    const { claim: claimed, taken, paid } = segment;
    const end = endOf(segment, handedIn(others));
    const record = this.#chainOf(chain);
    const { count, unitMsat } = record.touchstone;
    const due = Math.max(unpaid(taken, end, others), unpaid(claimed.first, end, others) - paid);
    const more = Math.min(due, count - record.paid);
    return [
      ...takenBack,
      ...this.#host.accounts.deposit(schemeId, claimed.vendor, unitMsat * BigInt(more)),
      this.#chains.put(chain, { ...record, paid: record.paid + more }),
      this.#segments.put(place, { ...segment, taken: Math.max(taken, end), paid: paid + more }),
    ];
  }

  /** Words that a vendor was paid for beyond its Index are nobody's again, as far as it has what they are worth. */
  #takeBack(chain: string, after: Segment): readonly StoreWrite[] {
    const from = cameWith(after);
    if (from === undefined) return [];
    const place = this.#placeOf({ chain: from.chain, step: from.step, vendor: from.from });
    const before = this.#segments.get(place);
    if (before === undefined) return [];
    const record = this.#chainOf(chain);
    const { unitMsat } = record.touchstone;
    const beyond = Math.min(-shortOf(before, handedIn([after])), record.paid);
    const words = this.#affords(before.claim.vendor, beyond, unitMsat);
    if (words === 0) return [];
    return [
      ...this.#draw(before.claim.vendor, unitMsat * BigInt(words)),
      this.#chains.put(chain, { ...record, paid: record.paid - words }),
      this.#segments.put(place, { ...before, taken: before.taken - words, paid: before.paid - words }),
    ];
  }

  /** Each vendor of a forked chain is paid for its own words, by what is left of the chain, then by whoever forked it. */
  #makeWhole(chain: string): readonly StoreWrite[] {
    if (this.#chainOf(chain).forked === 0) return [];
    const handed = handedIn(this.#besides(chain));
    return [...this.#placesOf(chain)].flatMap(place => {
      const segment = this.#segments.get(place);
      const short = segment === undefined ? 0 : shortOf(segment, handed);
      if (segment === undefined || short <= 0) return [];
      const record = this.#chainOf(chain);
      const { count, unitMsat } = record.touchstone;
      const left = Math.min(short, count - record.paid);
      const drawn = this.#affords(record.account, short - left, unitMsat);
      if (left + drawn === 0) return [];
      return [
        ...this.#draw(record.account, unitMsat * BigInt(drawn)),
        ...this.#host.accounts.deposit(schemeId, segment.claim.vendor, unitMsat * BigInt(left + drawn)),
        this.#chains.put(chain, { ...record, paid: record.paid + left }),
        this.#segments.put(place, { ...segment, paid: segment.paid + left + drawn }),
      ];
    });
  }

  /** The last that is done for vendors of a chain: what its cheats could not pay yet they pay now, or owe to whom it is due. */
  #collect(chain: string): readonly StoreWrite[] {
    const handed = handedIn(this.#besides(chain));
    const writes: StoreWrite[] = [];
    for (const segment of this.#besides(chain)) writes.push(...this.#takeBack(chain, segment));
    for (const place of this.#placesOf(chain)) writes.push(...this.#settle(chain, place));
    return [...writes, ...this.#makeWhole(chain), ...this.#leaveDebts(chain, handed)];
  }

  /** Words that a vendor has of others are theirs, and else the buyer's; whoever forked the chain owes what is still short then. */
  #leaveDebts(chain: string, handed: ReadonlyMap<string, number>): readonly StoreWrite[] {
    const { account, forked, touchstone: stone } = this.#chainOf(chain);
    const all = this.#besides(chain).map(segment => ({
      vendor: segment.claim.vendor,
      short: shortOf(segment, handed),
    }));
    const due = all.filter(({ short }) => short > 0);
    const owe = (debtor: AccountKey, words: number, to: AccountKey) =>
      words === 0 ? [] : this.#host.accounts.charge(debtor, stone.unitMsat * BigInt(words), to);
    const writes: StoreWrite[] = [];
    for (const { vendor, short } of all) {
      let words = Math.max(0, -short);
      for (const wronged of due) {
        const part = Math.min(words, wronged.short);
        wronged.short -= part;
        words -= part;
        writes.push(...owe(vendor, part, wronged.vendor));
      }
      writes.push(...owe(vendor, words, account));
    }
    if (forked === 1) for (const wronged of due) writes.push(...owe(account, wronged.short, wronged.vendor));
    return writes;
  }

  /** So many of these words the account can pay for. */
  #affords(account: AccountKey, words: number, unitMsat: Value): number {
    const balance = this.#host.accounts.balanceMsat(account) ?? 0n;
    if (words <= 0 || balance <= 0n) return 0;
    const most = balance / unitMsat;
    return most < BigInt(words) ? Number(most) : words;
  }

  /** Money of an account becomes words of a chain again. */
  #draw(account: AccountKey, msat: Value): readonly StoreWrite[] {
    if (msat === 0n) return [];
    const issued = this.#host.accounts.issue(schemeId, account, msat);
    assert(issued !== undefined, 'an account pays what it affords');
    return issued;
  }
}
