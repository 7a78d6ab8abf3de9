import { assert } from '../base/assert.ts';
import { type CircuitIdBytes, cellPayloadBytes, encodeFixed } from '../cell/link-codec.ts';

/** A queued cell: its command, then its payload. */
const slotBytes = 1 + cellPayloadBytes;
const slotsFirst = 16;
/** Blocks of one size kept for the next circuit that needs one. */
const sparesMax = 8;

/** Blocks that circuits have emptied, by their number of slots; shared by the circuits of a link. */
export class SpareBlocks {
  readonly #bySlots = new Map<number, Uint8Array[]>();

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

/** The cells of one circuit that wait for their turn on a link: first in, first out, in one block that grows by doubling. */
export class CellQueue {
  readonly circuit: number;
  #block: Uint8Array = new Uint8Array(0);
  #slots = 0;
  #head = 0;
  #length = 0;
  /** Somebody waits to hear that the queue has drained. */
  congested = false;
  /** Has a place in the round of its link. */
  inRound = false;
  /** Given back to the memory once empty, because the circuit is gone. */
  closing = false;

  readonly #spares: SpareBlocks;

  constructor(circuit: number, spares: SpareBlocks) {
    this.circuit = circuit;
    this.#spares = spares;
  }

  get length(): number {
    return this.#length;
  }

  /** Copies a cell's 509 bytes. The caller has checked the caps. */
  push(command: number, payload: Uint8Array, at: number): void {
    if (this.#length === this.#slots) this.#grow();
    const start = ((this.#head + this.#length) % this.#slots) * slotBytes;
    this.#block[start] = command;
    copyPayload(this.#block, start + 1, payload, at);
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

  clear(): void {
    this.#length = 0;
    this.#head = 0;
  }

  /** An idle circuit holds no block: most circuits of a relay are idle. */
  shrink(): void {
    if (this.#length > 0 || this.#slots === 0) return;
    this.#spares.give(this.#block);
    this.#block = new Uint8Array(0);
    this.#slots = 0;
    this.#head = 0;
  }

  #grow(): void {
    const slots = this.#slots === 0 ? slotsFirst : this.#slots * 2;
    const block = this.#spares.take(slots);
    const firstRun = Math.min(this.#length, this.#slots - this.#head);
    block.set(this.#block.subarray(this.#head * slotBytes, (this.#head + firstRun) * slotBytes));
    block.set(this.#block.subarray(0, (this.#length - firstRun) * slotBytes), firstRun * slotBytes);
    if (this.#slots > 0) this.#spares.give(this.#block);
    this.#block = block;
    this.#slots = slots;
    this.#head = 0;
  }
}

function copyPayload(into: Uint8Array, offset: number, payload: Uint8Array, at: number): void {
  into.set(payload.subarray(at, at + cellPayloadBytes), offset);
}
