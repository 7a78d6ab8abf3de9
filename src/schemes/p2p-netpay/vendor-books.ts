import { equalBytes, fromUtf8, utf8 } from '../../base/bytes.ts';
import { fixedBytes, sizedBytes, struct, u16, u32, u64 } from '../../base/struct.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import type { BrokeredOptions } from '../../payment/brokered.ts';
import { DeadlineWatch } from '../../payment/deadline-watch.ts';
import { type Errand, type ErrandEnd, type ErrandNews, Errands } from '../../payment/errands.ts';
import { leadsTo, wordBytes } from '../../payment/hash-chain.ts';
import { RecordBook } from '../../payment/record-book.ts';
import {
  type PaymentStatusName,
  refused,
  type SchemeHost,
  type Served,
  type Value,
} from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import {
  brokerOperation,
  claim,
  claimBody,
  claimedReply,
  handOverReply,
  handOverRequest,
  type Index,
  index as indexStatement,
  schemeId,
  type Touchstone,
  touchstone,
  type Visit,
  visit,
} from './messages.ts';
import { jumpMax, lastSecond, secondsOf, stepId } from './terms.ts';

/** `from`: the Index that it came with; empty at step 0. */
const stayRecord = struct({ touchstone, visit, first: u32, from: sizedBytes(u16, 400) });
const paidRecord = struct({ index: u32, word: fixedBytes(wordBytes), unitMsat: u64, first: u32 });
const totalRecord = struct({ msat: u64 });

/** A chain while it is spent here. */
interface Stay {
  readonly touchstone: Touchstone;
  readonly visit: Visit;
  readonly first: number;
  readonly from: Uint8Array;
}

/** A word of a chain, and which. */
export interface Word {
  readonly index: number;
  readonly word: Uint8Array;
}

/** What came of a payment: its worth and the records that say so, or why there is none. */
export type Advanced =
  | { readonly value: Value; readonly persist: readonly StoreWrite[] }
  | { readonly fault: PaymentStatusName };

/**
 * What a vendor has of the chains that are, or were, spent here, whichever of its sides is asked: how far each is spent,
 * whom it was handed to. Once a chain is handed on, nothing of it is taken any more.
 */
export class VendorBooks {
  readonly #host: SchemeHost;
  readonly #options: BrokeredOptions;
  readonly #stays: RecordBook<Stay>;
  readonly #paid: RecordBook<{
    readonly index: number;
    readonly word: Uint8Array;
    readonly unitMsat: bigint;
    readonly first: number;
  }>;
  readonly #handed: RecordBook<Index>;
  /** Value of what was redeemed and is kept no more. */
  readonly #redeemed: RecordBook<{ readonly msat: bigint }>;
  readonly errands: Errands;
  readonly #watch: DeadlineWatch;

  constructor(host: SchemeHost, options: BrokeredOptions) {
    this.#host = host;
    this.#options = options;
    this.#stays = new RecordBook(host.store, 'p2p-netpay/vendor/stay/', stayRecord);
    this.#paid = new RecordBook(host.store, 'p2p-netpay/vendor/paid/', paidRecord);
    this.#handed = new RecordBook(host.store, 'p2p-netpay/vendor/handed/', indexStatement);
    this.#redeemed = new RecordBook(host.store, 'p2p-netpay/vendor/redeemed/', totalRecord);
    this.errands = new Errands(host, 'p2p-netpay/vendor/errand/', (errand, news) => this.#done(errand, news));
    this.#watch = new DeadlineWatch(host.clock, () => this.#redeemDue());
    for (const [, { touchstone: stone }] of this.#stays.entries()) this.#watch.by(lastSecond(stone) + 1);
    const underWay = this.#underWay;
    const left = [...this.#stays.entries()].map(([id]) => id).filter(id => !underWay.has(id));
    if (left.length > 0) host.clock.after(0, () => left.forEach(id => void this.redeem(id)));
  }

  /** How far the chain is spent; undefined when it is not here. */
  indexOf(id: string): number | undefined {
    return this.#stays.get(id) === undefined ? undefined : this.#paid.get(id)?.index;
  }

  /** True while the chain is here and was not handed on. */
  has(id: string): boolean {
    return this.#stays.get(id) !== undefined && this.#handed.get(id) === undefined;
  }

  /** True once the chain was here in that step and went on. */
  wasHanded(id: string): boolean {
    return this.#handed.get(id) !== undefined;
  }

  /**
   * A chain begins its stay: at step 0 from its root, else from where the Index says. It begins with the payment that brings it, if
   * there is one: where that is refused nothing is kept.
   */
  enter(stone: Touchstone, here: Visit, from: Index | undefined, { index, word }: Word): Advanced {
    const id = stepId(here.chain, here.step);
    const first = from?.index ?? 0;
    const at = { index: first, word: from?.word ?? stone.root };
    const fault = index === 0 ? this.#late(stone) : this.#judge(stone, at, { index, word });
    if (fault !== undefined) return { fault };
    const stay = {
      touchstone: stone,
      visit: here,
      first,
      from: from === undefined ? new Uint8Array(0) : indexStatement.encode(from),
    };
    const spent = index === 0 ? at : { index, word };
    const paid = { ...spent, unitMsat: stone.unitMsat, first };
    this.#watch.by(lastSecond(stone) + 1);
    const value = stone.unitMsat * BigInt(spent.index - first);
    return { value, persist: [this.#stays.put(id, stay), this.#paid.put(id, paid)] };
  }

  advance(id: string, { index, word }: Word): Advanced {
    const [stay, paid] = [this.#stays.get(id), this.#paid.get(id)];
    if (stay === undefined || paid === undefined || !this.has(id)) return { fault: 'unknownChannel' };
    const fault = this.#judge(stay.touchstone, paid, { index, word });
    if (fault !== undefined) return { fault };
    const { unitMsat } = stay.touchstone;
    const value = unitMsat * BigInt(index - paid.index);
    return { value, persist: [this.#paid.put(id, { ...paid, index, word })] };
  }

  /** Why a word pays nothing where the chain is spent up to another. */
  #judge(stone: Touchstone, spent: Word, { index, word }: Word): PaymentStatusName | undefined {
    if (index <= spent.index) return 'stale';
    const jump = index - spent.index;
    if (index > stone.count || jump > jumpMax) return 'overspent';
    return this.#late(stone) ?? (leadsTo(stone.chain, spent.word, word, jump) ? undefined : 'badSignature');
  }

  #late(stone: Touchstone): PaymentStatusName | undefined {
    return this.#now > lastSecond(stone) ? 'expired' : undefined;
  }

  /** The next vendor asks for the Index: it gets it once it is written down that the chain is handed on. */
  handOver(bytes: Uint8Array): Served {
    const said = handOverRequest.decode(bytes);
    if (said === undefined) return refused('malformed');
    const next = said.visit;
    if (!handOverRequest.isBy(next.vendor, said)) return refused('badSignature');
    if (next.step === 0 || !equalBytes(next.from, this.#options.account.publicKey))
      return refused('unknownChannel');
    const id = stepId(next.chain, next.step - 1);
    const [stay, paid, before] = [this.#stays.get(id), this.#paid.get(id), this.#handed.get(id)];
    if (stay === undefined || paid === undefined) return refused('unknownChannel');
    if (!visit.isBy(stay.touchstone.user, next)) return refused('badSignature');
    const reply = (given: Index): Uint8Array =>
      handOverReply.encode({ touchstone: stay.touchstone, index: given });
    // Whoever it was handed to may ask again; for anybody else it is gone.
    if (before !== undefined)
      return equalBytes(before.to, next.vendor)
        ? { kind: 'reply', reply: reply(before), persist: [] }
        : refused('stale');
    const given = indexStatement.sign(this.#options.account, {
      chain: next.chain,
      step: next.step - 1,
      from: next.from,
      to: next.vendor,
      index: paid.index,
      word: paid.word,
    });
    return { kind: 'reply', reply: reply(given), persist: [this.#handed.put(id, given)] };
  }

  /** Hands in what the chain was spent for here, with where it came from. */
  redeem(id: string): void {
    const [stay, paid] = [this.#stays.get(id), this.#paid.get(id)];
    if (stay === undefined || paid === undefined || !this.#tells(id, stay)) return;
    const { account, broker } = this.#options;
    const said = claim.sign(account, {
      chain: stay.touchstone.chain,
      step: stay.visit.step,
      vendor: account.publicKey,
      first: stay.first,
      last: paid.index,
      word: paid.word,
    });
    const body = claimBody.encode({
      operation: brokerOperation.claim,
      claim: said,
      visit: stay.visit,
      from: stay.from,
    });
    const request = makeAccountRequest(account, this.#host.entropy, body);
    this.errands.send({ to: broker.endpoint, scheme: schemeId, request, memo: utf8(id) });
  }

  get #now(): number {
    return secondsOf(this.#host.clock.wallMs());
  }

  /** Something was spent here; or else the Index that the chain came with tells where the vendor before must end. */
  #tells(id: string, { first, from }: Stay): boolean {
    return this.#paid.get(id)?.index !== first || (from.length > 0 && this.wasHanded(id));
  }

  get #underWay(): ReadonlySet<string> {
    return new Set(this.errands.underWay.map(({ memo }) => fromUtf8(memo)));
  }

  /** Sessions may outlast their chains, and what has expired is the buyer's again. */
  #redeemDue(): number | undefined {
    const [now, underWay] = [this.#now, this.#underWay];
    const unpaid: StoreWrite[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [id, stay] of [...this.#stays.entries()]) {
      const due = lastSecond(stay.touchstone) + 1;
      if (due > now) next = Math.min(next, due);
      else if (!this.#tells(id, stay)) unpaid.push(...this.#leave(id));
      else if (!underWay.has(id)) this.redeem(id);
    }
    if (unpaid.length > 0) this.#host.store.commit(unpaid, this.#host.newAsk());
    // What is under way may be a claim of less than was paid since.
    return this.#stays.size === 0 ? undefined : next;
  }

  #leave(id: string): readonly StoreWrite[] {
    return [this.#stays.drop(id), this.#paid.drop(id)];
  }

  /** A chain that was handed on and redeemed, or of which nothing more is taken, is kept no more. */
  #done({ memo }: Errand, news: ErrandNews): ErrandEnd {
    const id = fromUtf8(memo);
    const [stay, paid] = [this.#stays.get(id), this.#paid.get(id)];
    if (stay === undefined || paid === undefined) return [];
    const { expiry } = stay.touchstone;
    const worth = paid.unitMsat * BigInt(paid.index - paid.first);
    if ('fault' in news) {
      // A broker keeps only so much evidence of a chain.
      if (worth === 0n && news.fault === 'overspent') return this.#leave(id);
      // Until it expires whoever says so may have made it up; then the broker has given back what was left of it.
      if (news.fault !== 'unknownChannel' || this.#now <= expiry) return 'again';
      this.#host.observer.log('warn', 'a chain expired before it was redeemed', { lostMsat: Number(worth) });
      return this.#leave(id);
    }
    const said = claimedReply.decode(news.reply);
    if (said === undefined || said.last > paid.index) return 'again';
    const over = this.#now > lastSecond(stay.touchstone);
    if (said.last < paid.index || !(over || this.wasHanded(id))) return [];
    const before = this.#redeemed.get('all')?.msat ?? 0n;
    return [...this.#leave(id), this.#redeemed.put('all', { msat: before + worth })];
  }
}
