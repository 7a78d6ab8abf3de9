import {
  circuitQueueCellsHigh,
  circuitQueueCellsLow,
  circuitQueueCellsMax,
  schedulerBurstCells,
} from '../base/limits.ts';
import { type CircuitIdBytes, fixedCellBytes } from '../cell/link-codec.ts';
import { CellQueue, SpareBlocks } from './cell-queue.ts';

/**
 * Fair output of one link: circuits with cells take turns of a few cells each, so that a bulk transfer delays the others
 * by no more than a round.
 */
export class CellScheduler {
  readonly #queues = new Map<number, CellQueue>();
  /** Circuits with cells, in the order of their turns. */
  #round: CellQueue[] = [];
  #queuedCells = 0;
  readonly #spares = new SpareBlocks();

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
      queue = new CellQueue(circuit, this.#spares);
      this.#queues.set(circuit, queue);
    }
    if (queue.length >= circuitQueueCellsMax) return false;
    // Another circuit may have taken the id of one that has not sent its last cell yet.
    queue.closing = false;
    queue.push(command, payload, at);
    this.#queuedCells += 1;
    if (queue.length >= circuitQueueCellsHigh) queue.congested = true;
    if (!queue.inRound) {
      queue.inRound = true;
      this.#round.push(queue);
    }
    return true;
  }

  /**
   * Fills `into` with cells in turns. Returns the bytes written; `drained` gets the circuits whose queue was high and now
   * is low again.
   */
  fill(into: Uint8Array, idBytes: CircuitIdBytes, drained: number[]): number {
    const cellBytes = fixedCellBytes(idBytes);
    let offset = 0;
    let turn = 0;
    while (turn < this.#round.length && offset + cellBytes <= into.length) {
      const queue = this.#round[turn];
      const room = Math.floor((into.length - offset) / cellBytes);
      const burst = Math.min(schedulerBurstCells, queue.length, room);
      for (let i = 0; i < burst; i++) offset = queue.shiftInto(into, offset, idBytes);
      this.#queuedCells -= burst;
      turn += 1;
      if (queue.congested && queue.length <= circuitQueueCellsLow) {
        queue.congested = false;
        if (!queue.closing) drained.push(queue.circuit);
      }
      if (queue.length > 0) this.#round.push(queue);
      else this.#leaveRound(queue);
    }
    this.#round = this.#round.slice(turn);
    return offset;
  }

  /** Drops what the circuit has queued, but for a last cell (DESTROY) that is sent after it is gone. */
  close(circuit: number, lastCommand: number | undefined, payload: Uint8Array, at: number): void {
    const queue = this.#queues.get(circuit);
    if (queue !== undefined) {
      this.#queuedCells -= queue.length;
      queue.clear();
      queue.congested = false;
    }
    if (lastCommand !== undefined) this.push(circuit, lastCommand, payload, at);
    this.#forget(circuit);
  }

  /** Sends what the circuit has queued, then a last cell; false: no room for that, nothing was done. */
  finish(circuit: number, lastCommand: number, payload: Uint8Array, at: number): boolean {
    if (!this.push(circuit, lastCommand, payload, at)) return false;
    this.#forget(circuit);
    return true;
  }

  /** The circuit is gone; its queue goes when it is empty. */
  #forget(circuit: number): void {
    const left = this.#queues.get(circuit);
    if (left === undefined) return;
    left.closing = true;
    if (!left.inRound) this.#queues.delete(circuit);
  }

  #leaveRound(queue: CellQueue): void {
    queue.inRound = false;
    queue.shrink();
    if (queue.closing) this.#queues.delete(queue.circuit);
  }
}
