import { linkWriteBatchBytes, queueLowPercent } from '../base/limits.ts';
import type { Clock, LinkId, LinkPort } from '../ports.ts';
import { SpareBlocks } from './cell-queue.ts';
import { HeldCells } from './held-cells.ts';
import type { LinkState } from './link-state.ts';
import { type HeldElsewhere, longestFull, oldestFirst } from './overload.ts';

export interface OutboxOptions {
  readonly port: LinkPort;
  readonly clock: Clock;
  readonly links: ReadonlyMap<LinkId, LinkState>;
  /** Cells that may wait here over all links. */
  readonly cellsMax: number;
  readonly user: {
    /** The circuit's queue was high and has drained. */
    onCircuitWritable(link: LinkId, circuit: number): void;
  };
  /** Too much waits, and this link takes nothing. */
  onStuck(state: LinkState): void;
  /** Too much waits, and nothing for longer than this circuit's cells. */
  onOverdue(state: LinkState, circuit: number): void;
}

/**
 * What goes out over all links of a node. Cells wait in their links' fair queues until the turn ends, and then as long as their
 * link is full; where too much waits, what has waited longest ends.
 */
export class LinkOutbox {
  /** Blocks of all queues, marked with the time of this turn. */
  readonly spares = new SpareBlocks();
  readonly #options: OutboxOptions;
  readonly #held: HeldCells;
  /** Links with cells to write at the end of this turn. */
  #dirty: LinkState[] = [];
  #insideEvent = false;
  #flushWaits = false;
  readonly #batch = new Uint8Array(linkWriteBatchBytes);
  readonly #drained: number[] = [];
  #bytesWritten = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#held = new HeldCells(options, options.cellsMax);
  }

  /** Cells queued over all links. */
  get queuedCells(): number {
    return this.#held.queued;
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  share(elsewhere: HeldElsewhere): void {
    this.#held.elsewhere = elsewhere;
  }

  /** More is held elsewhere. */
  taken(): void {
    if (!this.#held.fits()) this.#flushAtTurnEnd();
  }

  /** What a link brought is handled from here on; until `endEvent` nothing is flushed. */
  beginEvent(): void {
    this.spares.nowMs = this.#options.clock.monotonicMs();
    this.#insideEvent = true;
  }

  endEvent(): void {
    this.#insideEvent = false;
  }

  /** Queues a fixed cell, copying its 509 bytes. False: the circuit's queue is at its cap. */
  push(state: LinkState, circuit: number, command: number, bytes: Uint8Array, at: number): boolean {
    // First, as the cell is marked with the time of this turn.
    this.#markDirty(state);
    if (!state.scheduler.push(circuit, command, bytes, at)) return false;
    this.#held.queued += 1;
    return true;
  }

  /** Drops what a circuit has queued. */
  drop(state: LinkState, circuit: number): void {
    this.#held.queued -= state.scheduler.queued(circuit);
    state.scheduler.drop(circuit);
  }

  /** Writes cells, past the queues. */
  write(state: LinkState, bytes: Uint8Array): void {
    this.#held.writes(state, bytes.length);
    state.full = !this.writeUnheld(state, bytes);
  }

  /** Writes what a handshake says, which is never held back. False: the port is full. */
  writeUnheld(state: LinkState, bytes: Uint8Array): boolean {
    this.#bytesWritten += bytes.length;
    return this.#options.port.write(state.id, bytes);
  }

  /** The link is gone, with all that it held. */
  forget(state: LinkState): void {
    this.#held.forget(state);
  }

  /** Writes what the link's queues hold, while it takes it. */
  flush(state: LinkState): void {
    const { links } = this.#options;
    const idBytes = state.codec.circuitIdBytes;
    while (!state.full && state.scheduler.queuedCells > 0 && links.has(state.id)) {
      const before = state.scheduler.queuedCells;
      const length = state.scheduler.fill(this.#batch, idBytes, this.#drained);
      this.#held.queued += state.scheduler.queuedCells - before;
      this.write(state, this.#batch.subarray(0, length));
      if (this.#drained.length > 0) this.#tellDrained(state);
    }
  }

  /** Writing may drain queues, whose circuits may queue more: goes on until nothing is left to write. */
  flushDirty(): void {
    do {
      if (this.#dirty.length > 0) this.#flushAll();
      if (!this.#held.fits()) this.#shed();
    } while (this.#dirty.length > 0);
  }

  #markDirty(state: LinkState): void {
    if (!state.dirty) {
      this.spares.nowMs = this.#options.clock.monotonicMs();
      state.dirty = true;
      this.#dirty.push(state);
    }
    this.#flushAtTurnEnd();
  }

  #flushAtTurnEnd(): void {
    if (this.#insideEvent || this.#flushWaits) return;
    this.#flushWaits = true;
    this.#options.clock.after(0, () => {
      this.#flushWaits = false;
      this.flushDirty();
    });
  }

  #flushAll(): void {
    const states = this.#dirty;
    this.#dirty = [];
    for (const state of states) {
      state.dirty = false;
      this.flush(state);
    }
  }

  /** Too much waits in this node, as it seems. What has waited longest gives way, not whoever sends next. */
  #shed(): void {
    const { links, clock, onStuck, onOverdue } = this.#options;
    this.#held.look(links.values());
    if (this.#held.fits()) return;
    const isLow = () => this.#held.fits(queueLowPercent / 100);
    const nowMs = clock.monotonicMs();
    this.#insideEvent = true;
    for (const waiting of oldestFirst(links.values(), this.#held.elsewhere, nowMs)) {
      if (isLow()) break;
      if (waiting.state === undefined) waiting.end();
      else if (waiting.circuit === undefined) onStuck(waiting.state);
      else onOverdue(waiting.state, waiting.circuit);
    }
    // What is left are words on circuits that are gone: the peer does not even take those.
    for (const state of longestFull(links.values(), nowMs)) if (!isLow()) onStuck(state);
    this.#insideEvent = false;
  }

  #tellDrained(state: LinkState): void {
    const circuits = this.#drained.splice(0);
    this.#insideEvent = true;
    for (const circuit of circuits) this.#options.user.onCircuitWritable(state.id, circuit);
    this.#insideEvent = false;
  }
}
