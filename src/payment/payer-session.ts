import { assert } from '../base/assert.ts';
import type { Fault } from '../base/fault.ts';
import { freeCells, refusalsMax } from '../base/limits.ts';
import {
  decodeReceipt,
  FragmentAssembler,
  fragment,
  fragmentsOf,
  type Receipt,
} from '../cell/payment-messages.ts';
import type { Clock } from '../ports.ts';
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
import type { CircuitAllowance, Spending } from './spending.ts';
import { TopUp, type WindowChoice } from './top-up.ts';

/** The circuit and hop that a session pays. */
export interface PayerSessionHost {
  /** The body of one REDEEM cell for this hop. The circuit counts the cell, by countCells, as it counts every cell. */
  sendRedeem(body: Uint8Array): void;
  /** More cells may be caused at this hop than before. */
  onSpendable(): void;
  /** No payment is possible any more, or the hop broke the rules (`RECEIPT_…`). Never called inside onReceipt or countCells. */
  onFailed(fault: PayerFault): void;
}

/** Why a hop's answers cannot be right. */
export type ReceiptFault = Fault<
  | 'RECEIPT_MALFORMED'
  | 'RECEIPT_UNEXPECTED'
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

/** A REDEEM that waits for its RECEIPT. */
interface Sent {
  readonly messageId: number;
  readonly value: Value;
  /** Cells that had passed when its last cell was sent: the hop has counted all of them before it answers. */
  readonly cellsAfter: number;
  readonly sentMs: number;
}

type Step = 'idle' | 'scheme' | 'storing' | 'receipt';

/**
 * The payer's end of one hop: counts the cells that pass it, buys more in time, and holds each RECEIPT against its own
 * count. One payment is under way at a time; what it persists is durable before it is sent.
 */
export class PayerSession {
  readonly #options: PayerSessionOptions;
  readonly #assembler = new FragmentAssembler();
  readonly #topUp: TopUp;
  #step: Step = 'idle';
  #sent: Sent | undefined;
  #target: Uint8Array | undefined;
  /** Cells that have passed the hop, in either direction. */
  #cells = 0;
  #granted = 0;
  #receiptedMsat = 0n;
  #payments = 0;
  #nextMessageId = 0;
  #refusals = 0;
  #failed: PayerFault | undefined;
  #exhausted: PayFault | undefined;
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

  /** Asks for the first target and pays. */
  start(): void {
    this.#transmit(new Uint8Array(0), 0n);
  }

  /** In place of `start`: takes the scheme's set-up steps, as opening a channel, pays nothing, then calls `done`. */
  prepare(done: () => void): void {
    this.#prepared = done;
    this.start();
  }

  /** So many cells passed the hop, in either direction; may send a REDEEM at once. */
  countCells(cells: number): void {
    this.#cells += cells;
    if (this.#step === 'idle' && this.spendable < this.#topUp.lowCells) this.#advance();
  }

  /** How many cells the far ends may send without asking again. */
  needs(cells: number): void {
    this.#topUp.needs(cells);
    this.#advance();
  }

  /** A RECEIPT body of this hop. False: the hop broke the rules; onFailed says which. */
  onReceipt(body: Uint8Array): boolean {
    const added = this.#assembler.add(body);
    if (!added.ok) return this.#blame({ code: 'RECEIPT_MALFORMED', detail: added.fault.code });
    if (added.value === undefined) return true;
    const receipt = decodeReceipt(added.value.bytes);
    if (receipt === undefined) return this.#blame({ code: 'RECEIPT_MALFORMED' });
    const sent = this.#sent;
    if (sent === undefined || receipt.messageId !== sent.messageId)
      return this.#blame({ code: 'RECEIPT_UNEXPECTED' });
    this.#sent = undefined;
    this.#step = 'idle';
    const accepted = receipt.status === paymentStatus.ok;
    if (accepted) this.#credit(sent.value);
    const fault = this.#faultOf(receipt, sent, fragmentsOf(added.value.bytes.length));
    if (fault !== undefined) return this.#blame(fault);
    if (receipt.target.length > 0) this.#target = receipt.target;
    this.#topUp.onRoundTrip(this.#options.clock.monotonicMs() - sent.sentMs);
    if (accepted) this.#refusals = 0;
    else this.#onRefused(receipt.status, sent.value);
    if (sent.value > 0n && accepted) this.#options.host.onSpendable();
    this.#advance();
    return true;
  }

  /** The outcome of a payment that was pending. */
  onOutcome(paid: Paid): void {
    if (!this.#alive || this.#step !== 'scheme') return;
    this.#step = 'idle';
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
    this.#options.payer.ended(this.#options.id);
    this.#options.onEnded();
  }

  #advance(): void {
    if (!this.#alive || this.#step !== 'idle' || this.#failed !== undefined || this.#target === undefined)
      return;
    if (this.#finish !== undefined) {
      this.#close(this.#finish);
      return;
    }
    if (this.#exhausted !== undefined) {
      this.#runOut(this.#exhausted);
      return;
    }
    const { clock, payer, id, price } = this.#options;
    if (this.#prepared !== undefined) {
      this.#handle(payer.pay(id, this.#target, 0n));
      return;
    }
    this.#topUp.measure(this.#cells, clock.monotonicMs());
    const cells = this.#topUp.due(this.spendable);
    if (cells === 0) return;
    const wanted = msatFor(BigInt(this.#granted + cells), price) - this.#receiptedMsat;
    const value = this.#allowed(wanted);
    if (value === undefined) return;
    this.#handle(payer.pay(id, this.#target, value));
  }

  /** What of `wanted` the limits leave; undefined when nothing is left. The circuit goes on until that is used up. */
  #allowed(wanted: Value): Value | undefined {
    const { spending, relay, allowance } = this.#options;
    const left = spending.leftMsat(relay, allowance);
    if (left === undefined || wanted <= left) return wanted;
    if (left > 0n) return left;
    this.#runOut({ code: 'PAY_LIMIT' });
    return undefined;
  }

  /** Nothing more can be bought; what is prepaid may still be used. */
  #runOut(fault: PayFault): void {
    this.#exhausted = fault;
    if (this.spendable < this.#topUp.keepCells) this.#fail(fault);
  }

  #handle(paid: Paid): void {
    if (paid.kind === 'ready') {
      this.#onReady();
      return;
    }
    if (paid.kind === 'refused') {
      if (this.#prepared !== undefined) this.#fail(paid.fault);
      else if (paid.fault.code === 'PAY_LIMIT' || paid.fault.code === 'PAY_CHANNEL_EXHAUSTED')
        this.#runOut(paid.fault);
      else this.#fail(paid.fault);
      return;
    }
    if (paid.kind === 'pending') {
      this.#step = 'scheme';
      return;
    }
    const { spending, relay, allowance, commits } = this.#options;
    this.#step = 'storing';
    const writes = [...paid.persist, ...spending.take(relay, allowance, paid.value)];
    commits.commit(writes, () => {
      if (this.#alive) this.#transmit(paid.payment, paid.value);
    });
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

  #transmit(payment: Uint8Array, value: Value): void {
    const { host, clock } = this.#options;
    const messageId = this.#nextMessageId;
    this.#nextMessageId = (messageId + 1) % 65_536;
    this.#step = 'receipt';
    const sent = { messageId, value, cellsAfter: 0, sentMs: clock.monotonicMs() };
    this.#sent = sent;
    for (const body of fragment(messageId, payment)) host.sendRedeem(body);
    sent.cellsAfter = this.#cells;
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

  #onRefused(status: number, value: Value): void {
    const { payer, id, spending, relay, allowance } = this.#options;
    spending.giveBack(relay, allowance, value);
    const fault: PaymentFault = { code: statusName(status) };
    payer.onRefused(id, fault);
    if (this.#lastGiven) this.#lastRefused = fault;
    this.#refusals += 1;
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

function statusName(status: number): PaymentStatusName {
  const found = Object.entries(paymentStatus).find(([, number]) => number === status);
  return (found?.[0] ?? 'malformed') as PaymentStatusName;
}
