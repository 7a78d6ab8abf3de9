import { cellMemory, digestArea, digestStateArea, kernels } from './cell-memory.ts';

const stateBytes = 96;
const digestBytes = 20;
const { at: stateAt } = digestStateArea;
const resultAt = stateAt + stateBytes;
/** Source: FIPS 180-4, 5.3.1 */
const initial = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);

/** A SHA-1 that goes on from cell to cell, as the kernels have it: brought into their memory to be worked on. */
export class DigestState {
  #state: Uint8Array | undefined;
  /** The state while the digest rests, a character for each byte: a string is a quarter of an array. */
  #resting = '';

  /** @param seed its first bytes. */
  constructor(seed: Uint8Array) {
    this.#state = new Uint8Array(stateBytes);
    this.#state.set(new Uint8Array(initial.buffer));
    this.load();
    this.add(seed);
    this.keep();
  }

  /** Brings it to where kernels work on it. What they make of it is lost unless it is kept. */
  load(): void {
    this.#state ??= new Uint8Array(Buffer.from(this.#resting, 'latin1'));
    cellMemory.set(this.#state, stateAt);
  }

  /** Adds bytes, at most those of a run, to what is loaded. */
  add(bytes: Uint8Array): void {
    if (bytes.buffer === cellMemory.buffer) {
      kernels.digestBytes(stateAt, bytes.byteOffset, bytes.length);
      return;
    }
    cellMemory.set(bytes, digestArea.at);
    kernels.digestBytes(stateAt, digestArea.at, bytes.length);
  }

  /** What is loaded comes to, 20 bytes. */
  now(): Uint8Array {
    kernels.digestNow(stateAt, resultAt);
    return cellMemory.slice(resultAt, resultAt + digestBytes);
  }

  /** What is loaded is its state from now on. */
  keep(): void {
    this.#state?.set(cellMemory.subarray(stateAt, stateAt + stateBytes));
  }

  /** Gives back memory until it is loaded again. */
  rest(): void {
    if (this.#state === undefined) return;
    this.#resting = Buffer.from(this.#state).toString('latin1');
    this.#state = undefined;
  }
}
