import { assert, inLedger } from '../base/assert.ts';
import type { Fault } from '../base/fault.ts';
import {
  autoWindowCellsMin,
  freeCells,
  pendingRedeemsMax,
  receiptMsMax,
  refusalsMax,
  setUpReceiptMsMax,
} from '../base/limits.ts';
import { Ring } from '../base/ring.ts';
import {
  decodeReceipt,
  FragmentAssembler,
  fragment,
  fragmentsOf,
  type Receipt,
} from '../cell/payment-messages.ts';
import type { Cancel, Clock } from '../ports.ts';
import type { CommitQueue } from './commit-queue.ts';
import { cellsFor, msatFor, type Price } from './price.ts';
import {
  type Paid,
  type Payer,
  type PayFault,
  type PaymentFault,
  type PaymentStatusName,
  paymentStatus,
  type SessionId,
  type Value,
} from './scheme.ts';
import type { CircuitAllowance, Spending, Spent } from './spending.ts';
import { TopUp, type WindowChoice } from './top-up.ts';

/** The circuit and hop that a session pays. */
export interface PayerSessionHost {
  /** The body of one REDEEM cell for this hop. The circuit counts the cell, by countCells, as it counts every cell. */
  sendRedeem(body: Uint8Array): void;
  /** Little is left at this hop: time to pay it (`pay`), and whoever is paid along with it. */
  onLow(): void;
  /** More cells may be caused at this hop than before. */
  onSpendable(): void;
  /** No payment is possible any more, or the hop broke the rules (`RECEIPT_…`). Never called inside onReceipt or countCells. */
  onFailed(fault: PayerFault): void;
}

/** Why a hop's answers cannot be right. */
export type ReceiptFault = Fault<
  | 'RECEIPT_MALFORMED'
  | 'RECEIPT_UNEXPECTED'
  /** What was sent is not answered. */
  | 'RECEIPT_LATE'
  /** Another price than the one agreed on. */
  | 'RECEIPT_PRICE'
  /** Cells are missing, or too many, beyond those in flight. */
  | 'RECEIPT_BALANCE'
  /** The hop says it was credited with another value than we paid. */
  | 'RECEIPT_VALUE'
>;
export type PayerFault = PayFault | ReceiptFault;

export interface PayerSessionOptions {
  readonly id: SessionId;
  readonly host: PayerSessionHost;
  readonly payer: Payer;
  /** Hex of the relay's identity, for limits. */
  readonly relay: string;
  /** As the relay's descriptor says; a RECEIPT with another price ends the session. */
  readonly price: Price;
  readonly window: WindowChoice;
  readonly allowance: CircuitAllowance;
  readonly spending: Spending;
  readonly commits: CommitQueue;
  readonly clock: Clock;
  readonly onEnded: () => void;
}

/** A REDEEM that is made durable, and then waits for its RECEIPT. */
interface Sent {
  /** What the hop has more of once this is receipted. */
  value: Value;
  /** What the limits have less of for it. */
  readonly spent: Spent[];
  messageId: number;
  /** Cells that had passed when its last cell was sent: the hop has counted all of them before it answers. */
  cellsAfter: number;
  sentMs: number;
  /** How long the hop may take for it. */
  waitMsMax: number;
}

/**
 * The payer's end of one hop: counts the cells that pass it, buys more in time, and holds each RECEIPT against its own
 * count. What a payment persists is durable before it is sent. Cumulative payments follow each other before they are
 * answered, so that a window smaller than what passes meanwhile is no brake; any other waits for the RECEIPT of the last.
 */
export class PayerSession {
  readonly #options: PayerSessionOptions;
  readonly #assembler = new FragmentAssembler();
  readonly #topUp: TopUp;
  /** The scheme makes a payment. */
  #asking = false;
  /** What is left of the limits for that payment. */
  #reserved: Spent | undefined;
  /** Oldest first, as their RECEIPTs come. */
  readonly #sent = new Ring<Sent>(pendingRedeemsMax);
  /** Value of these. */
  #sentMsat = 0n;
  /** The oldest of these has waited too long. */
  #late: Cancel | undefined;
  /** What is under way is answered before anything else is sent. */
  #alone = false;
  /** The payment that is being made durable before it is sent. */
  #storing: Sent | undefined;
  #target: Uint8Array | undefined;
  /** Cells that have passed the hop, in either direction. */
  #cells = 0;
  #granted = 0;
  /** Cells granted once all that is under way is receipted. */
  #bought = 0;
  #receiptedMsat = 0n;
  #payments = 0;
  #nextMessageId = 0;
  #refusals = 0;
  #failed: PayerFault | undefined;
  #exhausted: PayFault | undefined;
  /** Cells that are bought now, and at the most: less once there was not enough money for more. */
  #buying = 0;
  #buyingMax = Number.POSITIVE_INFINITY;
  #finish: ((refusal?: PaymentFault) => void) | undefined;
  /** The scheme has given its last message; what follows the answer to it is the end. */
  #lastGiven = false;
  /** Why the hop did not take it. */
  #lastRefused: PaymentFault | undefined;
  /** The session sets up and pays nothing; told once that is done. */
  #prepared: (() => void) | undefined;
  #alive = true;

  constructor(options: PayerSessionOptions) {
    assert(options.price > 0n, 'a free hop has no payer');
    this.#options = options;
    this.#topUp = new TopUp(options.window);
  }

  /** The session as its scheme knows it. */
  get id(): SessionId {
    return this.#options.id;
  }

  /** Cells that we may still cause at this hop. */
  get spendable(): number {
    return freeCells + this.#granted - this.#cells;
  }

  /** Of these, the cells that streams to an exit may use: never the free ones. */
  get spendableExit(): number {
    return this.spendable - freeCells;
  }

  get payments(): number {
    return this.#payments;
  }

  /** Value that the hop has receipted. */
  get paidMsat(): Value {
    return this.#receiptedMsat;
  }

  /** Nothing new should count on this session: it cannot pay for long any more. */
  get endsSoon(): boolean {
    const { payer, id } = this.#options;
    return payer.endsSoon?.(id) ?? false;
  }

  /** Asks for the first target and pays. */
  start(): void {
    this.#transmit(new Uint8Array(0), unsent(0n, receiptMsMax));
  }

  /** In place of `start`: takes the scheme's set-up steps, as opening a channel, pays nothing, then calls `done`. */
  prepare(done: () => void): void {
    this.#prepared = done;
    this.start();
  }

  /** So many cells passed the hop, in either direction; may send a REDEEM at once. */
  countCells(cells: number): void {
    this.#cells += cells;
    if (this.#spendableSoon < this.#topUp.lowCells) this.#advance();
  }

  /** Buys what it needs, or, now that another hop of the circuit pays, will need before long. */
  pay(): void {
    this.#advance(true);
  }

  /** How many cells the far ends may send without asking again. */
  needs(cells: number): void {
    this.#topUp.needs(cells);
    this.#advance();
  }

  /** A RECEIPT body of this hop. False: the hop broke the rules; onFailed says which. */
  onReceipt(body: Uint8Array): boolean {
    return inLedger(() => this.#take(body));
  }

  #take(body: Uint8Array): boolean {
    const added = this.#assembler.add(body);
    if (!added.ok) return this.#blame({ code: 'RECEIPT_MALFORMED', detail: added.fault.code });
    if (added.value === undefined) return true;
    const receipt = decodeReceipt(added.value.bytes);
    if (receipt === undefined) return this.#blame({ code: 'RECEIPT_MALFORMED' });
    const sent = this.#sent.shift();
    if (sent === undefined || receipt.messageId !== sent.messageId)
      return this.#blame({ code: 'RECEIPT_UNEXPECTED' });
    this.#awaitOldest();
    const accepted = receipt.status === paymentStatus.ok;
    if (accepted) this.#credit(sent.value);
    const fault = this.#faultOf(receipt, sent, fragmentsOf(added.value.bytes.length));
    if (fault !== undefined) return this.#blame(fault);
    if (receipt.target.length > 0) this.#target = receipt.target;
    if (this.#sent.length === 0 && this.#storing === undefined) this.#alone = false;
    // A set-up step may have waited for a block.
    if (sent.value > 0n) this.#topUp.onRoundTrip(this.#options.clock.monotonicMs() - sent.sentMs);
    if (accepted) this.#refusals = 0;
    else this.#onRefused(receipt.status, sent);
    if (sent.value > 0n && accepted) this.#options.host.onSpendable();
    this.#advance();
    return true;
  }

  /** The outcome of a payment that was pending. */
  onOutcome(paid: Paid): void {
    if (!this.#alive || !this.#asking) return;
    this.#asking = false;
    this.#handle(paid);
  }

  /** Ends the session in order: the scheme's last message is sent and answered, then `done` is told how. */
  finish(done: (refusal?: PaymentFault) => void): void {
    if (!this.#alive || this.#failed !== undefined) {
      done();
      return;
    }
    this.#finish = done;
    this.#advance();
  }

  /** The circuit is gone. */
  ended(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#late?.();
    inLedger(() => {
      this.#release();
      this.#options.payer.ended(this.#options.id);
      this.#options.onEnded();
    });
  }

  #advance(along = false): void {
    inLedger(() => this.#payWhatIsDue(along));
  }

  #payWhatIsDue(along: boolean): void {
    if (
      !this.#alive ||
      this.#asking ||
      this.#storing !== undefined ||
      this.#failed !== undefined ||
      this.#target === undefined
    )
      return;
    const waits = this.#alone || this.#sent.full || this.#finish !== undefined;
    if (this.#sent.length > 0 && waits) return;
    if (this.#finish !== undefined) {
      this.#close(this.#finish);
      return;
    }
    if (this.#exhausted !== undefined) {
      this.#runOut(this.#exhausted);
      return;
    }
    const { allowance, clock, host, price, relay, spending } = this.#options;
    if (this.#prepared !== undefined) {
      this.#pay(this.#target, 0n);
      return;
    }
    this.#topUp.measure(this.#cells, clock.monotonicMs());
    const due = this.#topUp.due(this.#spendableSoon);
    if (!along) {
      if (due > 0) host.onLow();
      return;
    }
    const cells = Math.min(due || this.#topUp.dueAlong(this.#spendableSoon), this.#buyingMax);
    if (cells === 0) return;
    this.#buying = cells;
    const wanted = msatFor(BigInt(this.#bought + cells), price) - this.#receiptedMsat - this.#sentMsat;
    const left = spending.leftMsat(relay, allowance);
    // The last of it is for hops that need it now.
    if (due === 0 && left !== undefined && left < wanted) return;
    // The circuit goes on until what the limits leave is used up.
    if (left !== undefined && left <= 0n) this.#runOut({ code: 'PAY_LIMIT' });
    else this.#pay(this.#target, least(wanted, left), left);
  }

  #pay(target: Uint8Array, value: Value, left?: Value): void {
    const { id, payer, spending, relay, allowance } = this.#options;
    // Others pay within the same limits while this payment is made.
    this.#reserved = spending.take(relay, allowance, value);
    this.#handle(payer.pay(id, target, value, left));
  }

  #release(): void {
    if (this.#reserved !== undefined) this.#options.spending.giveBack(this.#reserved);
    this.#reserved = undefined;
  }

  /** Nothing more can be bought; what is prepaid may still be used. */
  #runOut(fault: PayFault): void {
    this.#exhausted = fault;
    if (this.#spendableSoon < this.#topUp.keepCells) this.#fail(fault);
  }

  #handle(paid: Paid): void {
    if (paid.kind === 'pending') {
      this.#asking = true;
      return;
    }
    this.#release();
    if (paid.kind === 'ready') {
      this.#onReady();
      return;
    }
    if (paid.kind === 'refused') {
      const { code } = paid.fault;
      if (this.#prepared !== undefined) this.#fail(paid.fault);
      // Once it is answered there may be another channel.
      else if (code === 'PAY_CHANNEL_EXHAUSTED' && this.#sent.length > 0) this.#alone = true;
      else if (code === 'PAY_CHANNEL_EXHAUSTED') this.#buyLess(paid.fault);
      else if (code === 'PAY_NO_FUNDS' && this.#payments > 0) this.#buyLess(paid.fault);
      else if (code === 'PAY_LIMIT') this.#runOut(paid.fault);
      else this.#fail(paid.fault);
      return;
    }
    const { spending, relay, allowance, commits } = this.#options;
    const { payment, persist, value } = paid;
    const sent = unsent(value, value > 0n ? receiptMsMax : setUpReceiptMsMax);
    this.#storing = sent;
    this.#sentMsat += value;
    sent.spent.push(spending.take(relay, allowance, value));
    const writes = value > 0n ? [...persist, ...spending.writes] : persist;
    commits.commit(writes, () => {
      if (this.#alive) this.#transmit(payment, sent);
    });
  }

  /** What passes in ten seconds may cost more than there is, and far more than this circuit will ever need. */
  #buyLess(fault: PayFault): void {
    const half = Math.floor(this.#buying / 2);
    if (half < autoWindowCellsMin || this.#spendableSoon + half < this.#topUp.keepCells) {
      this.#runOut(fault);
      return;
    }
    this.#buyingMax = half;
    this.#advance();
  }

  /** Told later, since whoever hears of it ends the circuit. */
  #onReady(): void {
    const done = this.#prepared;
    assert(done !== undefined, 'a scheme has a payment where value was asked');
    this.#prepared = () => {};
    this.#options.clock.after(0, () => {
      if (this.#alive) done();
    });
  }

  #transmit(payment: Uint8Array, sent: Sent): void {
    const { host, clock, payer } = this.#options;
    sent.messageId = this.#nextMessageId;
    this.#nextMessageId = (sent.messageId + 1) % 65_536;
    sent.sentMs = clock.monotonicMs();
    this.#alone ||= payer.cumulative !== true || sent.value === 0n;
    assert(this.#sent.push(sent), 'there is room for what is sent');
    if (this.#sent.length === 1) this.#awaitOldest();
    this.#countBought();
    for (const body of fragment(sent.messageId, payment)) host.sendRedeem(body);
    sent.cellsAfter = this.#cells;
    this.#storing = undefined;
    this.#advance();
  }

  /** A hop answers one after the other: each has its time from when it is the oldest. */
  #awaitOldest(): void {
    this.#late?.();
    const oldest = this.#sent.peek();
    this.#late =
      oldest && this.#options.clock.after(oldest.waitMsMax, () => this.#fail({ code: 'RECEIPT_LATE' }));
  }

  /** `spendable` once what is under way is receipted. */
  get #spendableSoon(): number {
    return freeCells + this.#bought - this.#cells;
  }

  #countBought(): void {
    this.#bought = Number(cellsFor(this.#receiptedMsat + this.#sentMsat, this.#options.price));
  }

  #close(done: (refusal?: PaymentFault) => void): void {
    const { payer, id } = this.#options;
    const paid = this.#lastGiven ? undefined : payer.finish(id);
    this.#lastGiven = true;
    if (paid === undefined || paid.kind === 'refused') {
      this.#finish = undefined;
      this.#failed ??= { code: 'PAY_REFUSED', detail: 'closed' };
      done(this.#lastRefused);
      return;
    }
    this.#handle(paid);
  }

  #credit(value: Value): void {
    if (value === 0n) return;
    this.#sentMsat -= value;
    this.#receiptedMsat += value;
    this.#payments += 1;
    this.#granted = Number(cellsFor(this.#receiptedMsat, this.#options.price));
  }

  /**
   * A hop states its balance before the RECEIPT's own cells. Other cells that passed since the REDEEM was sent may or may
   * not have been counted by then.
   */
  #faultOf(receipt: Receipt, sent: Sent, receiptCells: number): ReceiptFault | undefined {
    if (receipt.price !== this.#options.price) return { code: 'RECEIPT_PRICE' };
    if (receipt.creditedMsat !== this.#receiptedMsat) return { code: 'RECEIPT_VALUE' };
    const own = BigInt(this.spendable + receiptCells);
    const inFlight = BigInt(this.#cells - sent.cellsAfter - receiptCells);
    if (receipt.balance < own || receipt.balance > own + inFlight) return { code: 'RECEIPT_BALANCE' };
    return undefined;
  }

  #onRefused(status: number, { value, spent }: Sent): void {
    const { payer, id, spending } = this.#options;
    const next = this.#sent.peek() ?? this.#storing;
    if (next !== undefined) {
      // It was made to follow this one, and holds its value too.
      next.value += value;
      next.spent.push(...spent);
      this.#alone = true;
    } else {
      this.#sentMsat -= value;
      this.#countBought();
      for (const each of spent) spending.giveBack(each);
    }
    const fault: PaymentFault = { code: statusName(status) };
    payer.onRefused(id, fault);
    if (this.#lastGiven) this.#lastRefused = fault;
    // All that was under way together counts as one try.
    if (next === undefined) this.#refusals += 1;
    if (this.#refusals >= refusalsMax) this.#fail({ code: 'PAY_REFUSED', detail: fault.code });
  }

  #blame(fault: ReceiptFault): boolean {
    this.#fail(fault);
    return false;
  }

  /** Told later, so that the circuit never ends inside a call that it made. */
  #fail(fault: PayerFault): void {
    if (this.#failed !== undefined) return;
    this.#failed = fault;
    this.#options.clock.after(0, () => {
      if (this.#alive) this.#options.host.onFailed(fault);
    });
  }
}

function unsent(value: Value, waitMsMax: number): Sent {
  return { value, spent: [], messageId: 0, cellsAfter: 0, sentMs: 0, waitMsMax };
}

function least(wanted: Value, left: Value | undefined): Value {
  return left !== undefined && left < wanted ? left : wanted;
}

function statusName(status: number): PaymentStatusName {
  const found = Object.entries(paymentStatus).find(([, number]) => number === status);
  return (found?.[0] ?? 'malformed') as PaymentStatusName;
}
