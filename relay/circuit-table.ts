import { assert } from '../src/base/assert.ts';
import type { RelayCircuit } from '../src/circuit/relay-circuit.ts';
import type { CircuitSide } from '../src/circuit/relay-circuit-host.ts';
import type { LinkId } from '../src/ports.ts';

/** A circuit as a link knows it: its client is, or its next hop is, at the other end. */
export interface CircuitEntry {
  readonly circuit: RelayCircuit;
  readonly towards: 'previous' | 'next';
}

/** All circuits of a relay, by link and circuit id, from both sides. */
export class CircuitTable {
  #byLink = new Map<LinkId, Map<number, CircuitEntry>>();
  #circuits = new Set<RelayCircuit>();

  get size(): number {
    return this.#circuits.size;
  }

  [Symbol.iterator](): Iterator<RelayCircuit> {
    return this.#circuits.values();
  }

  find(link: LinkId, id: number): CircuitEntry | undefined {
    return this.#byLink.get(link)?.get(id);
  }

  add(circuit: RelayCircuit): void {
    this.#circuits.add(circuit);
    this.#set(circuit.previous, { circuit, towards: 'previous' });
  }

  addNext(circuit: RelayCircuit, next: CircuitSide): void {
    this.#set(next, { circuit, towards: 'next' });
  }

  remove(circuit: RelayCircuit): void {
    this.#circuits.delete(circuit);
    this.removeSide(circuit.previous);
  }

  removeSide(side: CircuitSide): void {
    const link = this.#byLink.get(side.link);
    link?.delete(side.id);
    if (link?.size === 0) this.#byLink.delete(side.link);
  }

  /** All that a lost link carried, in the order in which it was added. */
  onLink(link: LinkId): readonly CircuitEntry[] {
    return [...(this.#byLink.get(link)?.values() ?? [])];
  }

  #set(side: CircuitSide, entry: CircuitEntry): void {
    let link = this.#byLink.get(side.link);
    if (link === undefined) {
      link = new Map();
      this.#byLink.set(side.link, link);
    }
    assert(!link.has(side.id), 'a circuit id is used once on a link');
    link.set(side.id, entry);
  }
}
