import {
  circuitQueueCellsHigh,
  circuitQueueCellsLow,
  circuitQueueCellsMax,
  schedulerBurstCells,
} from '../base/limits.ts';
import { type CircuitIdBytes, fixedCellBytes } from '../cell/link-codec.ts';
import { CellQueue, type SpareBlocks } from './cell-queue.ts';

/**
 * Fair output of one link: circuits with cells take turns of a few cells each, so that a bulk transfer delays the others
 * by no more than a round.
 */
export class CellScheduler {
  /** Circuits with cells, in the order of their turns: whoever has had its turn and has more goes to the end. */
  readonly #queues = new Map<number, CellQueue>();
  readonly #spares: SpareBlocks;
  #queuedCells = 0;

  constructor(spares: SpareBlocks) {
    this.#spares = spares;
  }

  /** Cells over all circuits. */
  get queuedCells(): number {
    return this.#queuedCells;
  }

  queued(circuit: number): number {
    return this.#queues.get(circuit)?.length ?? 0;
  }

  /** Copies a cell into the circuit's queue; false: the queue is at its cap, nothing was taken. */
  push(circuit: number, command: number, payload: Uint8Array, at: number): boolean {
    let queue = this.#queues.get(circuit);
    if (queue === undefined) {
      queue = new CellQueue(this.#spares);
      this.#queues.set(circuit, queue);
    }
    if (queue.length >= circuitQueueCellsMax) return false;
    queue.push(command, payload, at);
    this.#queuedCells += 1;
    if (queue.length >= circuitQueueCellsHigh) queue.congested = true;
    return true;
  }

  /**
   * Fills `into` with cells in turns. Returns the bytes written; `drained` gets the circuits whose queue was high and now
   * is low again.
   */
  fill(into: Uint8Array, idBytes: CircuitIdBytes, drained: number[]): number {
    const cellBytes = fixedCellBytes(idBytes);
    let offset = 0;
    for (const [circuit, queue] of this.#queues) {
      const room = Math.floor((into.length - offset) / cellBytes);
      if (room === 0) break;
      const burst = Math.min(schedulerBurstCells, queue.length, room);
      for (let i = 0; i < burst; i++) offset = queue.shiftInto(into, offset, idBytes, circuit);
      this.#queuedCells -= burst;
      if (queue.congested && queue.length <= circuitQueueCellsLow) {
        queue.congested = false;
        drained.push(circuit);
      }
      // An entry that is set again is met again, behind all others.
      this.#queues.delete(circuit);
      if (queue.length > 0) this.#queues.set(circuit, queue);
      else queue.free();
    }
    return offset;
  }

  /** Circuits with cells, and how long the oldest of each has waited. */
  *waits(nowMs: number): Generator<readonly [circuit: number, waitedMs: number]> {
    for (const [circuit, queue] of this.#queues) if (queue.length > 0) yield [circuit, queue.waitedMs(nowMs)];
  }

  /** Drops what the circuit has queued. */
  drop(circuit: number): void {
    const queue = this.#queues.get(circuit);
    if (queue === undefined) return;
    this.#queuedCells -= queue.length;
    this.#queues.delete(circuit);
    queue.free();
  }
}
