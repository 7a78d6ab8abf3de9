import type { Cancel, Clock } from '../ports.ts';

/** Looked at so often at least: the time of day may jump, and timers do not notice. */
const lookMsMax = 600_000;
const lookMsMin = 1_000;

/** Whoever holds what is worth nothing after some time of day is told when the first of it is due. */
export class DeadlineWatch {
  readonly #clock: Clock;
  readonly #look: () => number | undefined;
  #cancel: Cancel | undefined;
  #atMs = Number.POSITIVE_INFINITY;

  /** @param look deals with what is due; gives the second since 1970 when the next is, undefined: nothing is held. */
  constructor(clock: Clock, look: () => number | undefined) {
    this.#clock = clock;
    this.#look = look;
  }

  /** Something is due at that second. */
  by(second: number): void {
    const wantedMs = second * 1_000 - this.#clock.wallMs();
    const waitMs = Math.min(Math.max(wantedMs, lookMsMin), lookMsMax);
    const atMs = this.#clock.monotonicMs() + waitMs;
    if (atMs >= this.#atMs) return;
    this.#cancel?.();
    this.#atMs = atMs;
    this.#cancel = this.#clock.after(waitMs, () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#cancel = undefined;
      const next = this.#look();
      if (next !== undefined) this.by(next);
    });
  }
}
