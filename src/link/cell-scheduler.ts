import {
  circuitQueueCellsHigh,
  circuitQueueCellsLow,
  circuitQueueCellsMax,
  restingQueuesMax,
  schedulerBurstCells,
} from '../base/limits.ts';
import { type CircuitIdBytes, fixedCellBytes } from '../cell/link-codec.ts';
import { CellQueue, type SpareBlocks } from './cell-queue.ts';

/**
 * Fair output of one link: circuits with cells take turns of a few cells each, so that a bulk transfer delays the others
 * by no more than a round.
 */
export class CellScheduler {
  /**
   * Of circuits with cells, and of some whose cells have gone: a Map that gains and loses an entry with every batch leaves
   * tables behind that keep each other alive until V8 collects everything.
   */
  readonly #queues = new Map<number, CellQueue>();
  /** Circuits with cells, in the order of their turns: whoever has had its turn and has more goes to the end. */
  #first: CellQueue | undefined;
  #last: CellQueue | undefined;
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
      queue = new CellQueue(this.#spares, circuit);
      this.#queues.set(circuit, queue);
    }
    if (queue.length >= circuitQueueCellsMax) return false;
    if (queue.length === 0) this.#line(queue);
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
    for (let queue = this.#first; queue !== undefined; queue = this.#first) {
      const room = Math.floor((into.length - offset) / cellBytes);
      if (room === 0) break;
      const burst = Math.min(schedulerBurstCells, queue.length, room);
      for (let i = 0; i < burst; i++) offset = queue.shiftInto(into, offset, idBytes);
      this.#queuedCells -= burst;
      if (queue.congested && queue.length <= circuitQueueCellsLow) {
        queue.congested = false;
        drained.push(queue.circuit);
      }
      this.#unline(queue);
      if (queue.length > 0) this.#line(queue);
      else this.#rest(queue);
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
    if (queue.length > 0) this.#unline(queue);
    queue.free();
  }

  #line(queue: CellQueue): void {
    queue.previous = this.#last;
    if (this.#last === undefined) this.#first = queue;
    else this.#last.next = queue;
    this.#last = queue;
  }

  #unline(queue: CellQueue): void {
    const { previous, next } = queue;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    queue.previous = undefined;
    queue.next = undefined;
  }

  #rest(queue: CellQueue): void {
    queue.free();
    if (this.#queues.size > restingQueuesMax) this.#queues.delete(queue.circuit);
  }
}
