import type { Result } from '../../src/base/fault.ts';
import { receiptsToldMax } from '../../src/base/limits.ts';
import type { ClientCore } from '../client-core.ts';
import type { CreditedPayment } from '../client-watch.ts';
import { ControlParams } from '../control-params.ts';
import type { MoneyDesk } from '../control-service.ts';
import type { ManagedCircuit } from '../managed-circuit.ts';
import { circuitPayments, factWords, paymentWords } from './payment-words.ts';

/** What controllers are told of money: a line for each payment, channel or hop. */
export class ControllerMoney {
  readonly #core: ClientCore;
  readonly #desk: MoneyDesk | undefined;
  readonly #receipts: string[] = [];

  constructor(core: ClientCore, desk: MoneyDesk | undefined) {
    this.#core = core;
    this.#desk = desk;
  }

  onPayment(circuit: ManagedCircuit, payment: CreditedPayment): void {
    this.#receipts.push(paymentWords(circuit, payment));
    if (this.#receipts.length > receiptsToldMax) this.#receipts.shift();
  }

  get schemes(): string {
    return this.#core.payments.schemes.join(' ');
  }

  /** The latest payments that hops have credited, the oldest first. */
  get receipts(): string {
    return this.#receipts.join('\n');
  }

  /** What each priced hop of each circuit has cost. */
  get circuits(): string {
    return [...this.#core.pool.circuits].flatMap(circuitPayments).join('\n');
  }

  /** Undefined: there is no wallet. */
  get balance(): string | undefined {
    const told = this.#ask('wallet.balance');
    return told === undefined ? undefined : factWords(told);
  }

  /** Undefined: no scheme here has channels. */
  get channels(): string | undefined {
    const told = this.#ask('channel.list') as { readonly channels: readonly object[] } | undefined;
    return told?.channels.map(factWords).join('\n');
  }

  #ask(method: string): object | undefined {
    let told: object | undefined;
    const answer = (result: Result<unknown>): void => {
      if (result.ok) told = result.value as object;
    };
    this.#desk?.call(method, new ControlParams({}), { answer, tell: () => {}, onGone: () => {} });
    return told;
  }
}
