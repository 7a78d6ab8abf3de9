import type { Clock } from '../ports.ts';

/**
 * Keeps something to a rate: what is used is taken out, time fills it up again, to `burst` at most. It starts full. More may be
 * taken than there is, since who has read or written bytes cannot give them back; nothing is free before that debt is paid.
 * So no stretch of time sees more than burst + rate x time taken, and what was taken last.
 */
export class TokenBucket {
  readonly #clock: Clock;
  /** In thousandths, as the level is: whole numbers, for whole milliseconds. */
  readonly #perMs: number;
  readonly #most: number;
  #thousandths: number;
  #filledMs: number;

  /** @param rate a second. */
  constructor(clock: Clock, rate: number, burst: number) {
    this.#clock = clock;
    this.#perMs = rate;
    this.#most = burst * 1_000;
    this.#thousandths = this.#most;
    this.#filledMs = clock.monotonicMs();
  }

  /** Whether anything was left when it was last looked into. */
  get open(): boolean {
    return this.#thousandths > 0;
  }

  /** False: nothing is left for now. */
  take(count: number): boolean {
    this.#fill();
    this.#thousandths -= count * 1_000;
    return this.open;
  }

  /** What is there now; negative: a debt. */
  level(): number {
    this.#fill();
    return this.#thousandths / 1_000;
  }

  /** Whole milliseconds until there is something; 0: there is. */
  waitMs(): number {
    this.#fill();
    return this.open ? 0 : Math.ceil((1_000 - this.#thousandths) / this.#perMs);
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#thousandths = Math.min(this.#thousandths + (nowMs - this.#filledMs) * this.#perMs, this.#most);
    this.#filledMs = nowMs;
  }
}
