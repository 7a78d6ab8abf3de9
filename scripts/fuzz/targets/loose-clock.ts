import type { Cancel, Clock } from '../../../src/ports.ts';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** Time that passes when its target says so. */
export class LooseClock implements Clock {
  readonly #wallStartMs: number;
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(wallStartMs: number) {
    this.#wallStartMs = wallStartMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  after(ms: number, run: () => void): Cancel {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Runs, in order, what is due by then. */
  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.atMs <= endMs && (first === undefined || timer.atMs < first.atMs)) first = timer;
    return first;
  }
}
