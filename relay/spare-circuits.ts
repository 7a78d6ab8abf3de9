import { sparesLookedAtMax } from '../src/base/limits.ts';
import { destroyReason } from '../src/cell/commands.ts';
import type { RelayCircuit } from '../src/circuit/relay-circuit.ts';
import type { CircuitTable } from './circuit-table.ts';

/** Where circuits or links are as many as may be, those that serve nobody give way to whoever comes. */
export class SpareCircuits {
  readonly #circuits: CircuitTable;
  /** Goes round, so that each look begins where the last one ended. */
  #round: Iterator<RelayCircuit> | undefined;

  constructor(circuits: CircuitTable) {
    this.#circuits = circuits;
  }

  /** Ends one. False: none was found. */
  endOne(): boolean {
    for (let looks = 0; looks < sparesLookedAtMax; looks++) {
      const circuit = this.#next();
      if (circuit === undefined) return false;
      if (!circuit.isSpare) continue;
      circuit.destroy(destroyReason.resourceLimit);
      return true;
    }
    return false;
  }

  /** Ends all circuits of a link that has no other. False: none was found. */
  emptyLink(): boolean {
    for (let looks = 0; looks < sparesLookedAtMax; looks++) {
      const circuit = this.#next();
      if (circuit === undefined) return false;
      if (!circuit.isSpare) continue;
      const all = this.#circuits.onLink(circuit.previous.link);
      looks += all.length;
      if (!all.every(each => each.circuit.isSpare)) continue;
      for (const each of all) each.circuit.destroy(destroyReason.resourceLimit);
      return true;
    }
    return false;
  }

  /** Undefined: there are none. */
  #next(): RelayCircuit | undefined {
    const next = this.#round?.next();
    if (next?.done === false) return next.value;
    this.#round = this.#circuits[Symbol.iterator]();
    const first = this.#round.next();
    return first.done ? undefined : first.value;
  }
}
