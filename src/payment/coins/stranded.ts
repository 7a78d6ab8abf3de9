import type { Clock } from '../../ports.ts';
import { Piles } from './piles.ts';

/** How long other coins are tried first. */
const pauseMs = 5_000;

/** Coins that are signed away to a payee and that nobody would make out to it. They can be for nobody else, and are tried again later. */
export class Stranded<T> {
  readonly #clock: Clock;
  readonly #piles = new Piles<{ readonly coin: T; readonly sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  put(payee: string, coin: T): void {
    this.#piles.put(payee, [{ coin, sinceMs: this.#clock.monotonicMs() }]);
  }

  /** Those that may be tried again by now. */
  of(payee: string): readonly T[] {
    const before = this.#clock.monotonicMs() - pauseMs;
    return this.#piles
      .of(payee)
      .filter(({ sinceMs }) => sinceMs <= before)
      .map(({ coin }) => coin);
  }

  take(payee: string, coin: T): void {
    const pile = this.#piles.of(payee);
    this.#piles.take(
      payee,
      pile.filter(each => each.coin === coin),
    );
  }
}
