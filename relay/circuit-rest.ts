import { circuitRestRoundMs, circuitRestTurnMs } from '../src/base/limits.ts';
import type { Cancel, Clock } from '../src/ports.ts';

/** What can give memory back while nobody uses it. */
export interface Resting {
  rest(): void;
}

/** Lets the circuits of a relay rest, a few at a time, so that very many of them never hold up the cells of others. */
export class CircuitRest {
  readonly #circuits: { readonly size: number } & Iterable<Resting>;
  readonly #clock: Clock;
  #round: Iterator<Resting> | undefined;
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
    const share = Math.ceil((this.#circuits.size * circuitRestTurnMs) / circuitRestRoundMs);
    for (let i = 0; i < share; i++) {
      const next = this.#round.next();
      if (next.done) {
        this.#round = undefined;
        return;
      }
      next.value.rest();
    }
  }
}
