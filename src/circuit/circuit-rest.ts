import { circuitRestRoundMs, circuitRestTurnMs } from '../base/limits.ts';
import type { Cancel, Clock } from '../ports.ts';

/** What can give memory back while nobody uses it. */
export interface Resting {
  rest(): void;
}

/** Lets the circuits of a relay rest, a few at a time, so that very many of them never hold up the cells of others. */
export class CircuitRest {
  readonly #circuits: { readonly size: number } & Iterable<Resting>;
  readonly #clock: Clock;
  #round: Iterator<Resting> | undefined;
  /** To be asked in this turn; what is left of one is for the next, so that few circuits are not asked more often. */
  #due = 0;
  #cancel: Cancel | undefined;

  /** @param circuits may change between any two of its items. */
  constructor(circuits: { readonly size: number } & Iterable<Resting>, clock: Clock) {
    this.#circuits = circuits;
    this.#clock = clock;
  }

  start(): void {
    this.#cancel = this.#clock.after(circuitRestTurnMs, () => {
      this.#turn();
      this.start();
    });
  }

  stop(): void {
    this.#cancel?.();
  }

  #turn(): void {
    this.#round ??= this.#circuits[Symbol.iterator]();
    this.#due += (this.#circuits.size * circuitRestTurnMs) / circuitRestRoundMs;
    for (; this.#due >= 1; this.#due--) {
      const next = this.#round.next();
      if (next.done) {
        this.#round = undefined;
        this.#due = 0;
        return;
      }
      next.value.rest();
    }
  }
}
