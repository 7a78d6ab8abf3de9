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
    return this.#end(circuit => [circuit]);
  }

  /** Ends all circuits of a link that has no other. False: none was found. */
  emptyLink(): boolean {
    return this.#end(({ previous }) => this.#circuits.onLink(previous.link).map(({ circuit }) => circuit));
  }

  /** Ends the first group found that is spare as a whole. */
  #end(groupOf: (circuit: RelayCircuit) => readonly RelayCircuit[]): boolean {
    for (let looks = 0; looks < sparesLookedAtMax; looks++) {
      const circuit = this.#next();
      if (circuit === undefined) return false;
      if (!circuit.isSpare) continue;
      const group = groupOf(circuit);
      looks += group.length - 1;
      if (!group.every(({ isSpare }) => isSpare)) continue;
      for (const each of group) each.destroy(destroyReason.resourceLimit);
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
