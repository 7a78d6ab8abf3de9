import type { Clock } from '../ports.ts';

/**
 * Keeps something to a rate: what is used is taken out, time fills it up again, to `burst` at most. It starts full. More may be
 * taken than there is, since who has read or written bytes cannot give them back; nothing is free before that debt is paid.
 * So no stretch of time sees more than burst + rate x time taken, and what was taken last.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledMs: number;

  /** @param rate a second. */
  constructor(clock: Clock, rate: number, burst: number) {
    this.#clock = clock;
    this.#perMs = rate / 1_000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledMs = clock.monotonicMs();
  }

  /** Whether anything was left when it was last looked into. */
  get open(): boolean {
    return this.#tokens > 0;
  }

  /** False: nothing is left for now. */
  take(count: number): boolean {
    this.#fill();
    this.#tokens -= count;
    return this.open;
  }

  /** What is there now; negative: a debt. */
  level(): number {
    this.#fill();
    return this.#tokens;
  }

  /** Whole milliseconds until there is something; 0: there is. */
  waitMs(): number {
    const level = this.level();
    return level > 0 ? 0 : Math.ceil((1 - level) / this.#perMs);
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#tokens = Math.min(this.#tokens + (nowMs - this.#filledMs) * this.#perMs, this.#burst);
    this.#filledMs = nowMs;
  }
}
