import type { Answer, AskId, ChainEvent, StoreWrite } from '../../ports.ts';
import {
  type Outcome,
  type Payee,
  type PaymentStatusName,
  type Redeemed,
  refused,
  type SessionId,
  type Value,
} from '../scheme.ts';
import type { CoinSetup } from './coin-setup.ts';
import { expiryLookMs, handInBy } from './coin-times.ts';
import { coinsPerPaymentMax } from './denominations.ts';
import { IdleDeposit } from './idle-deposit.ts';

/** What differs between payees of coins. `M`: a payment, `H`: one of its coins as the payee would hold it. */
export interface CoinRules<M extends { readonly coins: readonly unknown[] }, H> {
  newTarget(): Uint8Array;
  /** Undefined: the bytes are no payment of this scheme. */
  read(payment: Uint8Array): M | undefined;
  /** All coins or none. What costs no signature check. @param target that of the session. */
  judge(payment: M, target: Uint8Array | undefined): readonly H[] | PaymentStatusName;
  /** Asks others what must be known before the signatures can be checked; a fault: this payment is not taken now. */
  inquire?(coins: readonly H[], done: (fault: PaymentStatusName | undefined) => void): void;
  isGenuine(coin: H): boolean;
  /** They are the payee's from here on. */
  received(coins: readonly H[]): readonly StoreWrite[];
  valueOf(coin: H): Value;
  onAnswer(answer: Answer): boolean;
  /** Hands in what was earned; with a time, in seconds since 1970, what of it expires by then. */
  deposit(expiringBy?: number): void;
  /** Keeps what is held worth its value: called each day. */
  renew?(): void;
}

/** The payee of a payment system with coins: takes those of a payment together, and hands them in when nobody has paid for a while. */
export class CoinPayee<M extends { readonly coins: readonly unknown[] }, H> implements Payee {
  readonly #setup: CoinSetup;
  readonly #rules: CoinRules<M, H>;
  readonly #idle: IdleDeposit;
  readonly #targets = new Map<SessionId, Uint8Array>();
  readonly #oneTarget: boolean;
  #outcome: Outcome<Redeemed> | undefined;

  /** @param oneTarget a session keeps its first target; else each payment has one of its own. */
  constructor(setup: CoinSetup, rules: CoinRules<M, H>, oneTarget = false) {
    this.#setup = setup;
    this.#rules = rules;
    this.#oneTarget = oneTarget;
    this.#idle = new IdleDeposit(setup.host.clock, setup.pays, () => rules.deposit());
    // What an earlier life earned.
    this.#idle.left();
    setup.host.clock.after(expiryLookMs, () => this.#eachDay());
  }

  target(session: SessionId): Uint8Array {
    return this.#targets.get(session) ?? this.#nextTarget(session);
  }

  redeem(session: SessionId, payment: Uint8Array): Redeemed {
    const message = this.#rules.read(payment);
    const count = message?.coins.length ?? 0;
    if (message === undefined || count === 0 || count > 2 * coinsPerPaymentMax) return refused('malformed');
    const coins = this.#rules.judge(message, this.target(session));
    if (typeof coins === 'string') return refused(coins);
    if (this.#rules.inquire === undefined) return this.#verified(session, coins);
    let ask: AskId | undefined;
    let redeemed: Redeemed | undefined;
    this.#rules.inquire(coins, fault => {
      if (fault !== undefined) redeemed = refused(fault);
      else
        redeemed = ask === undefined ? this.#verified(session, coins) : this.#judgedAgain(session, message);
      if (ask !== undefined) this.#outcome = { session, result: redeemed };
    });
    if (redeemed !== undefined) return redeemed;
    ask = this.#setup.host.newAsk();
    return { kind: 'pending', ask };
  }

  onAnswer(answer: Answer): Outcome<Redeemed> | undefined {
    this.#outcome = undefined;
    return this.#rules.onAnswer(answer) ? this.#outcome : undefined;
  }

  onChain(_event: ChainEvent): void {}

  ended(session: SessionId): void {
    this.#targets.delete(session);
    this.#idle.ended(session);
  }

  deposit(): void {
    this.#rules.deposit();
  }

  #eachDay(): void {
    const { clock } = this.#setup.host;
    this.#rules.renew?.();
    this.#rules.deposit(handInBy(clock));
    clock.after(expiryLookMs, () => this.#eachDay());
  }

  /** Another payment may have brought the same coins meanwhile. */
  #judgedAgain(session: SessionId, message: M): Redeemed {
    const coins = this.#rules.judge(message, this.#targets.get(session));
    return typeof coins === 'string' ? refused(coins) : this.#verified(session, coins);
  }

  #verified(session: SessionId, coins: readonly H[]): Redeemed {
    if (!coins.every(coin => this.#rules.isGenuine(coin))) return refused('badSignature');
    // Its circuit may be gone by now; what came on it is handed in all the same.
    const ended = !this.#targets.has(session);
    if (ended) this.#idle.left();
    else this.#idle.paid(session);
    return {
      kind: 'added',
      value: coins.reduce((sum, coin) => sum + this.#rules.valueOf(coin), 0n),
      persist: this.#rules.received(coins),
      reply: this.#replyTo(session, ended),
    };
  }

  #replyTo(session: SessionId, ended: boolean): Uint8Array {
    if (ended) return new Uint8Array(0);
    return this.#oneTarget ? this.target(session) : this.#nextTarget(session);
  }

  #nextTarget(session: SessionId): Uint8Array {
    const target = this.#rules.newTarget();
    this.#targets.set(session, target);
    return target;
  }
}
