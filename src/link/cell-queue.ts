import { assert } from '../base/assert.ts';
import { type CircuitIdBytes, cellPayloadBytes, encodeFixed } from '../cell/link-codec.ts';

/** A queued cell: its command, its payload, then when it came. */
const slotBytes = 1 + cellPayloadBytes + 4;
const stampOffset = 1 + cellPayloadBytes;
/** Blocks of one size kept for the next circuit that needs one. */
const sparesMax = 8;

/** Blocks that circuits have emptied, by their number of slots; shared by all links of a node. */
export class SpareBlocks {
  readonly #bySlots = new Map<number, Uint8Array[]>();
  /** Milliseconds on the monotonic clock, about now: cells that are queued are marked with it. */
  nowMs = 0;

  take(slots: number): Uint8Array {
    return this.#bySlots.get(slots)?.pop() ?? new Uint8Array(slots * slotBytes);
  }

  give(block: Uint8Array): void {
    const slots = block.length / slotBytes;
    const spares = this.#bySlots.get(slots);
    if (spares === undefined) this.#bySlots.set(slots, [block]);
    else if (spares.length < sparesMax) spares.push(block);
  }
}

const noBlock = new Uint8Array(0);

/**
 * The cells of one circuit that wait for their turn on a link: first in, first out, in one block that grows by doubling.
 * It begins with a single cell, so that many circuits with one each cost no more than those cells.
 */
export class CellQueue {
  readonly circuit: number;
  /** Whose turns come before and after this one's. */
  previous: CellQueue | undefined;
  next: CellQueue | undefined;
  #block: Uint8Array = noBlock;
  #slots = 0;
  #head = 0;
  #length = 0;
  /** Somebody waits to hear that the queue has drained. */
  congested = false;
  readonly #spares: SpareBlocks;

  constructor(spares: SpareBlocks, circuit: number) {
    this.#spares = spares;
    this.circuit = circuit;
  }

  get length(): number {
    return this.#length;
  }

  /** How long the first cell has waited. When it came is kept modulo 2^32, 49 days: that alone compares with nothing. */
  waitedMs(nowMs: number): number {
    const at = this.#head * slotBytes + stampOffset;
    const block = this.#block;
    const sinceMs = (block[at] << 24) | (block[at + 1] << 16) | (block[at + 2] << 8) | block[at + 3];
    return (nowMs - sinceMs) >>> 0;
  }

  /** Copies a cell's 509 bytes. The caller has checked the caps. */
  push(command: number, payload: Uint8Array, at: number): void {
    if (this.#length === this.#slots) this.#grow();
    const start = ((this.#head + this.#length) % this.#slots) * slotBytes;
    this.#block[start] = command;
    this.#block.set(payload.subarray(at, at + cellPayloadBytes), start + 1);
    const { nowMs } = this.#spares;
    this.#block[start + stampOffset] = nowMs >>> 24;
    this.#block[start + stampOffset + 1] = nowMs >>> 16;
    this.#block[start + stampOffset + 2] = nowMs >>> 8;
    this.#block[start + stampOffset + 3] = nowMs;
    this.#length += 1;
  }

  /** Writes the first cell as it goes over the link; returns the offset behind it. */
  shiftInto(into: Uint8Array, offset: number, idBytes: CircuitIdBytes): number {
    assert(this.#length > 0, 'a cell to take');
    const start = this.#head * slotBytes;
    const end = encodeFixed(into, offset, idBytes, this.circuit, this.#block[start], this.#block, start + 1);
    this.#head = (this.#head + 1) % this.#slots;
    this.#length -= 1;
    return end;
  }

  /** Gives the memory back, with whatever is in it. */
  free(): void {
    if (this.#slots > 0) this.#spares.give(this.#block);
    this.#block = noBlock;
    this.#slots = 0;
    this.#head = 0;
    this.#length = 0;
    this.congested = false;
  }

  #grow(): void {
    if (this.#slots === 0) {
      this.#block = this.#spares.take(1);
      this.#slots = 1;
      return;
    }
    const block = this.#spares.take(this.#slots * 2);
    const firstRun = Math.min(this.#length, this.#slots - this.#head);
    block.set(this.#block.subarray(this.#head * slotBytes, (this.#head + firstRun) * slotBytes));
    block.set(this.#block.subarray(0, (this.#length - firstRun) * slotBytes), firstRun * slotBytes);
    this.#spares.give(this.#block);
    this.#block = block;
    this.#slots *= 2;
    this.#head = 0;
  }
}
