import { inLedger } from '../base/assert.ts';
import type { Fault } from '../base/fault.ts';
import { badPaymentsMax, paymentAssemblyMsMax, pendingRedeemsMax } from '../base/limits.ts';
import { Ring } from '../base/ring.ts';
import { encodeReceipt, FragmentAssembler, fragment, type PaymentMessage } from '../cell/payment-messages.ts';
import type { Cancel, Clock } from '../ports.ts';
import type { CellBalance } from './cell-balance.ts';
import type { CommitQueue } from './commit-queue.ts';
import { type Payee, type PaymentFault, paymentStatus, type Redeemed, type SessionId } from './scheme.ts';

/** The circuit that a session belongs to. */
export interface PayeeSessionHost {
  /** The body of one RECEIPT cell, to be sent back on the circuit. */
  sendReceipt(body: Uint8Array): void;
  /** The payer broke the rules: the circuit must end. Never called inside onRedeem. */
  fail(fault: Fault<PayeeSessionFault>): void;
}

export type PayeeSessionFault =
  | 'FRAGMENT_MALFORMED'
  | 'FRAGMENT_OUT_OF_ORDER'
  | 'REDEEM_TIMEOUT'
  | 'REDEEM_TOO_MANY'
  | 'REDEEM_BAD_PAYMENTS';

/** What all sessions of a relay share. */
export interface PayeeCounter {
  readonly payees: ReadonlyMap<number, Payee>;
  readonly commits: CommitQueue;
  readonly clock: Clock;
  ended(session: SessionId): void;
}

/**
 * The payee's end of one circuit: REDEEM in, RECEIPT out, one at a time and in order. Money order: the scheme verifies,
 * its records become durable, the balance is credited, the RECEIPT goes out.
 */
export class PayeeSession {
  readonly #counter: PayeeCounter;
  readonly #id: SessionId;
  readonly #host: PayeeSessionHost;
  readonly #balance: CellBalance;
  readonly #assembler = new FragmentAssembler();
  readonly #waiting = new Ring<PaymentMessage>(pendingRedeemsMax);
  #current: PaymentMessage | undefined;
  #cancelTimeout: Cancel | undefined;
  #badPayments = 0;
  #alive = true;

  constructor(counter: PayeeCounter, id: SessionId, host: PayeeSessionHost, balance: CellBalance) {
    this.#counter = counter;
    this.#id = id;
    this.#host = host;
    this.#balance = balance;
  }

  /** The body of a REDEEM cell. A fault ends the circuit. */
  onRedeem(body: Uint8Array): Fault<PayeeSessionFault> | undefined {
    return inLedger(() => this.#take(body));
  }

  #take(body: Uint8Array): Fault<PayeeSessionFault> | undefined {
    const added = this.#assembler.add(body);
    if (!added.ok) return added.fault;
    this.#watchAssembly();
    if (added.value === undefined) return undefined;
    if (!this.#waiting.push(added.value)) return { code: 'REDEEM_TOO_MANY' };
    this.#next();
    return this.#badPayments >= badPaymentsMax ? { code: 'REDEEM_BAD_PAYMENTS' } : undefined;
  }

  /** The outcome of a payment that was pending. */
  onOutcome(redeemed: Redeemed): void {
    const message = this.#current;
    if (message === undefined || !this.#alive) return;
    this.#settle(message, redeemed);
    this.#next();
    if (this.#badPayments >= badPaymentsMax) this.#host.fail({ code: 'REDEEM_BAD_PAYMENTS' });
  }

  ended(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#cancelTimeout?.();
    inLedger(() => {
      this.#counter.ended(this.#id);
      for (const payee of this.#counter.payees.values()) payee.ended(this.#id);
    });
  }

  #next(): void {
    while (this.#current === undefined && this.#alive) {
      const message = this.#waiting.shift();
      if (message === undefined) return;
      this.#current = message;
      this.#redeem(message);
    }
  }

  #redeem(message: PaymentMessage): void {
    const { payees } = this.#counter;
    const [first] = payees.values();
    if (message.bytes.length === 0 || first === undefined) {
      // An empty REDEEM asks for price, balance and target (paper 004, section 5).
      if (first?.ask !== undefined) this.#settle(message, first.ask(this.#id));
      else this.#answer(message, paymentStatus.ok, first?.target(this.#id) ?? new Uint8Array(0));
      return;
    }
    const payee = payees.get(message.bytes[0]);
    if (payee === undefined) this.#answer(message, paymentStatus.unknownScheme, first.target(this.#id));
    else this.#settle(message, payee.redeem(this.#id, message.bytes));
  }

  #settle(message: PaymentMessage, redeemed: Redeemed): void {
    if (redeemed.kind === 'pending') return;
    if (redeemed.kind === 'refused') {
      this.#countStrike(redeemed.fault);
      this.#answer(message, paymentStatus[redeemed.fault.code], redeemed.reply ?? new Uint8Array(0));
      return;
    }
    const { value, persist, reply } = redeemed;
    this.#counter.commits.commit(persist, () => {
      if (!this.#alive) return;
      this.#balance.credit(value);
      this.#answer(message, paymentStatus.ok, reply);
      this.#next();
    });
  }

  /** What costs the relay a signature check for nothing is not to be had often. */
  #countStrike(fault: PaymentFault): void {
    if (fault.code === 'badSignature' || fault.code === 'malformed') this.#badPayments += 1;
  }

  #answer(message: PaymentMessage, status: number, target: Uint8Array): void {
    const balance = this.#balance;
    this.#current = undefined;
    const receipt = encodeReceipt({
      status,
      messageId: message.messageId,
      price: balance.price,
      balance: BigInt(balance.balance),
      creditedMsat: balance.creditedMsat,
      target,
    });
    for (const body of fragment(message.messageId, receipt)) this.#host.sendReceipt(body);
  }

  #watchAssembly(): void {
    this.#cancelTimeout?.();
    this.#cancelTimeout = this.#assembler.halfBuilt
      ? this.#counter.clock.after(paymentAssemblyMsMax, () => this.#host.fail({ code: 'REDEEM_TIMEOUT' }))
      : undefined;
  }
}
