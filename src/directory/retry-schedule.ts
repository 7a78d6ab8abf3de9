/** When something that failed may be tried again: waits double from the first to the longest. */
export class RetrySchedule {
  readonly #waits: readonly [number, number];
  #failures = 0;
  #readyAtMs = 0;

  constructor(waitsMs: readonly [first: number, longest: number]) {
    this.#waits = waitsMs;
  }

  get failures(): number {
    return this.#failures;
  }

  get waiting(): boolean {
    return this.#failures > 0;
  }

  fail(monotonicMs: number): void {
    const [first, longest] = this.#waits;
    this.#readyAtMs = monotonicMs + Math.min(first * 2 ** Math.min(this.#failures, 20), longest);
    this.#failures += 1;
  }

  readyInMs(monotonicMs: number): number {
    return this.#readyAtMs - monotonicMs;
  }
}
