import { equalBytes } from '../../base/bytes.ts';
import type { Answer, AskId, ChainEvent, StoreWrite } from '../../ports.ts';
import type {
  Outcome,
  Paid,
  PayeeIdentity,
  Payer,
  PayFault,
  PaymentFault,
  SchemeHost,
  SessionId,
  Value,
} from '../scheme.ts';
import { expiryLookMs, handInBy, lasts } from './coin-times.ts';
import {
  type CoinSum,
  chooseCoins,
  coinSum,
  exponentsOf,
  leastCovering,
  purchaseCoinsMax,
  sorted,
} from './denominations.ts';
import { Piles } from './piles.ts';

/** A coin that its payee can be given: already made out to it. */
export interface ReadyCoin {
  readonly value: Value;
  readonly expirySeconds: number;
  /** Called when it is sent: what must be durable before. */
  persist(): readonly StoreWrite[];
  /** Never sent, it may be spent anywhere again. Absent: somebody has been told whose it is to be. */
  undo?(): void;
  /** Its payee says that it is stale. It may have it. */
  turnedDown?(): void;
}

/** What became of a purchase. */
export type Purchase = 'bought' | 'noFunds' | 'unavailable';

/** What differs between payment systems whose money is coins. `C`: coins that may be spent, `R`: made out to a payee. */
export interface CoinTrade<T, C extends { readonly value: Value }, R extends ReadyCoin> {
  /** Undefined for what no honest payee of ours hands out. */
  readTarget(payee: PayeeIdentity, target: Uint8Array): T | undefined;
  /** Names whom a coin is made out to by this target. */
  payeeOf(target: T): string;
  /** Those worth just so much that may be spent at this payee, the easiest first. */
  coins(target: T, value: Value): Iterable<C>;
  /** Makes a coin out to the payee; told undefined when that coin cannot be spent now. From here on it is in no list of coins. */
  makeOut(coin: C, target: T, done: (ready: R | undefined) => void): void;
  /** Has what `run` makes out stored and asked for together. */
  together(run: () => void): void;
  /** Buys coins worth 2^exponent each. */
  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void;
  payment(target: T, coins: readonly R[]): Uint8Array;
  /**
   * Hands in coins that were bought here, that nobody was paid with, and that expire by that time, in seconds since 1970: what
   * they are worth is the account's again. Absent: the trade does so by itself.
   */
  giveBack?(expiringBy: number): void;
  /** True when the answer was for this trade; what it leads to is told by `done`. */
  onAnswer(answer: Answer): boolean;
}

/** Purchases and coins that fail before a payment is given up. */
const attemptsMax = 4;
/** A purchase covers so many payments like the one that calls for it. */
const paymentsPerPurchase = 8;

interface Session<T, R> {
  readonly id: SessionId;
  readonly payee: PayeeIdentity;
  target: { readonly bytes: Uint8Array; readonly read: T } | undefined;
  /** Coins of the payment whose outcome is not known yet. */
  sent: readonly R[];
  job: Job<T, R> | undefined;
}

/** A payment that is being put together. */
interface Job<T, R> {
  readonly ask: AskId;
  readonly target: T;
  readonly sum: CoinSum;
  readonly most: Value | undefined;
  readonly ready: R[];
  /** Coins that are being made out or bought. */
  making: number;
  attempts: number;
  advancing: boolean;
  /** There is no money for a purchase that covers later payments too. */
  short: boolean;
  /** Why nothing can be bought. */
  unbought: PayFault | undefined;
}

/**
 * The payer of a payment system with coins: chooses those that make up a value, buys what is missing, has each made out
 * to the payee, and sends them together. What was made out and not taken is offered to the same payee again.
 */
export class CoinPayer<T, C extends { readonly value: Value }, R extends ReadyCoin> implements Payer {
  readonly #host: SchemeHost;
  readonly #trade: CoinTrade<T, C, R>;
  readonly #ahead: boolean;
  readonly #sessions = new Map<SessionId, Session<T, R>>();
  /** Made out and not taken, by payee. */
  readonly #left = new Piles<R>();
  /** They may be with the payee, whatever it says. */
  readonly #sent = new WeakSet<R>();
  /** One at least of those that were sent with it the payee had before, as a payer's older records do not say. */
  readonly #doubtful = new Set<R>();
  #outcome: Outcome<Paid> | undefined;

  /** @param ahead has as much made out again as each payment took, so that the next need not wait. */
  constructor(host: SchemeHost, trade: CoinTrade<T, C, R>, ahead = false) {
    this.#host = host;
    this.#trade = trade;
    this.#ahead = ahead;
    if (trade.giveBack !== undefined) host.clock.after(0, () => this.#eachDay());
  }

  begin(id: SessionId, payee: PayeeIdentity, _budget: Value): void {
    this.#sessions.set(id, { id, payee, target: undefined, sent: [], job: undefined });
  }

  pay(id: SessionId, target: Uint8Array, value: Value, most?: Value): Paid {
    const session = this.#sessions.get(id);
    const read = session === undefined ? undefined : this.#read(session, target);
    if (session === undefined || read === undefined) return refused('PAY_BAD_TARGET');
    for (const coin of session.sent) this.#doubtful.delete(coin);
    session.sent = [];
    if (value === 0n) return { kind: 'ready' };
    const sum = coinSum(value, most);
    if (sum === undefined) return refused('PAY_LIMIT');
    const payeeName = this.#trade.payeeOf(read);
    const ready = chooseCoins(sorted(this.#leftFor(payeeName)), sum).coins;
    this.#left.take(payeeName, ready);
    const job: Job<T, R> = {
      ask: this.#host.newAsk(),
      target: read,
      sum,
      most,
      ready: [...ready],
      making: 0,
      attempts: 0,
      advancing: false,
      short: false,
      unbought: undefined,
    };
    session.job = job;
    return this.#advance(session, job) ?? { kind: 'pending', ask: job.ask };
  }

  onAnswer(answer: Answer): Outcome<Paid> | undefined {
    this.#outcome = undefined;
    return this.#trade.onAnswer(answer) ? this.#outcome : undefined;
  }

  onChain(_event: ChainEvent): void {}

  onRefused(id: SessionId, fault: PaymentFault): void {
    const session = this.#sessions.get(id);
    if (session?.target === undefined) return;
    const { sent } = session;
    this.#putBack(session.target.read, fault.code === 'stale' ? this.#sorted(sent) : sent);
    session.sent = [];
  }

  /** A coin is worth as much to another payee, so there is nothing to close. */
  finish(_session: SessionId): undefined {}

  ended(id: SessionId): void {
    const session = this.#sessions.get(id);
    const job = session?.job;
    this.#sessions.delete(id);
    if (session !== undefined) session.job = undefined;
    if (job !== undefined) this.#putBack(job.target, job.ready);
  }

  #eachDay(): void {
    const { clock } = this.#host;
    this.#trade.giveBack?.(handInBy(clock));
    clock.after(expiryLookMs, () => this.#eachDay());
  }

  #read(session: Session<T, R>, bytes: Uint8Array): T | undefined {
    if (session.target !== undefined && equalBytes(session.target.bytes, bytes)) return session.target.read;
    const read = this.#trade.readTarget(session.payee, bytes);
    if (read !== undefined) session.target = { bytes: bytes.slice(), read };
    return read;
  }

  /** Goes on until something must be waited for (undefined), or the payment is there. */
  #advance(session: Session<T, R>, job: Job<T, R>): Paid | undefined {
    job.advancing = true;
    let paid: Paid | undefined;
    while (paid === undefined && job.making === 0) paid = this.#step(session, job);
    job.advancing = false;
    return paid;
  }

  #step(session: Session<T, R>, job: Job<T, R>): Paid | undefined {
    const { sum, grain } = job.sum;
    const lacking = sum - sumOf(job.ready);
    if (lacking <= 0n) return this.#send(session, job);
    if (++job.attempts > attemptsMax) return this.#giveUp(session, job, { code: 'PAY_PARTY_UNAVAILABLE' });
    const worth = (value: Value) => this.#trade.coins(job.target, value);
    const { coins, missing } = chooseCoins(worth, { sum: lacking, grain });
    if (missing === 0n) {
      this.#makeOut(session, job, coins);
    } else if (job.unbought === undefined) {
      this.#buy(session, job, missing);
    } else {
      const large = leastCovering(worth, lacking);
      const total = sumOf(job.ready) + (large?.value ?? 0n);
      if (large === undefined || (job.most !== undefined && total > job.most))
        return this.#giveUp(session, job, job.unbought);
      this.#makeOut(session, job, [large]);
    }
    return undefined;
  }

  #send(session: Session<T, R>, job: Job<T, R>): Paid {
    session.job = undefined;
    session.sent = job.ready;
    for (const coin of job.ready) this.#sent.add(coin);
    if (this.#ahead) this.#makeOutAhead(job);
    return {
      kind: 'send',
      payment: this.#trade.payment(job.target, job.ready),
      value: sumOf(job.ready),
      persist: job.ready.flatMap(coin => coin.persist()),
    };
  }

  /** What is held suffices, or the next payment buys. */
  #makeOutAhead({ target, sum }: Job<T, R>): void {
    const { coins, missing } = chooseCoins(value => this.#trade.coins(target, value), sum);
    if (missing > 0n) return;
    this.#trade.together(() => {
      for (const coin of coins)
        this.#trade.makeOut(coin, target, ready => {
          if (ready !== undefined) this.#putBack(target, [ready]);
        });
    });
  }

  #giveUp(session: Session<T, R>, job: Job<T, R>, fault: PayFault): Paid {
    session.job = undefined;
    this.#putBack(job.target, job.ready);
    return { kind: 'refused', fault };
  }

  #makeOut(session: Session<T, R>, job: Job<T, R>, coins: readonly C[]): void {
    job.making += coins.length;
    const made = (ready: R | undefined): void => {
      job.making -= 1;
      if (ready !== undefined && session.job === job) job.ready.push(ready);
      else if (ready !== undefined) this.#putBack(job.target, [ready]);
      this.#goOn(session, job);
    };
    this.#trade.together(() => {
      for (const coin of coins) this.#trade.makeOut(coin, job.target, made);
    });
  }

  #buy(session: Session<T, R>, job: Job<T, R>, missing: Value): void {
    const exponents = exponentsOf(missing);
    const fitting = Math.max(1, Math.floor(purchaseCoinsMax / exponents.length));
    const times = job.short ? 1 : Math.min(paymentsPerPurchase, fitting);
    job.making += 1;
    this.#trade.buy(Array.from({ length: times }, () => exponents).flat(), purchase => {
      job.making -= 1;
      if (purchase === 'unavailable') job.unbought = { code: 'PAY_PARTY_UNAVAILABLE' };
      else if (purchase === 'noFunds' && times === 1) job.unbought = { code: 'PAY_NO_FUNDS' };
      else if (purchase === 'noFunds') job.short = true;
      this.#goOn(session, job);
    });
  }

  /** After something that was waited for; what is done at once goes on by itself. */
  #goOn(session: Session<T, R>, job: Job<T, R>): void {
    if (job.making > 0 || job.advancing || session.job !== job) return;
    const result = this.#advance(session, job);
    if (result !== undefined) this.#outcome = { session: session.id, result };
  }

  #putBack(target: T, coins: readonly R[]): void {
    const bound = coins.filter(coin => coin.undo === undefined || this.#sent.has(coin));
    this.#left.put(this.#trade.payeeOf(target), bound);
    for (const coin of coins) if (!bound.includes(coin)) coin.undo?.();
  }

  /** Of those in doubt one at a time, so that what is wrong with it shows. */
  #leftFor(payeeName: string): readonly R[] {
    const { clock } = this.#host;
    const left = this.#left.of(payeeName).filter(coin => lasts(coin.expirySeconds, clock));
    const tried = left.find(coin => this.#doubtful.has(coin));
    return left.filter(coin => coin === tried || !this.#doubtful.has(coin));
  }

  /** The payee says that it has one of these: without that one, if it is known which. */
  #sorted(sent: readonly R[]): readonly R[] {
    const suspects = sent.length === 1 ? sent : sent.filter(coin => this.#doubtful.has(coin));
    if (suspects.length === 1) {
      this.#doubtful.delete(suspects[0]);
      suspects[0].turnedDown?.();
      return sent.filter(coin => coin !== suspects[0]);
    }
    for (const coin of sent) this.#doubtful.add(coin);
    return sent;
  }
}

function sumOf(coins: readonly { readonly value: Value }[]): Value {
  return coins.reduce((sum, { value }) => sum + value, 0n);
}

function refused(code: PayFault['code']): Paid {
  return { kind: 'refused', fault: { code } };
}
