import { bodyArea, cellMemory, digestStateArea, kernels } from './kernels/cell-memory.ts';

const stateBytes = 96;
const digestBytes = 20;
const cellBytes = 509;
/** Where a cell has its digest. */
const [digestFrom, digestTo] = [5, 9];
const { at: stateAt } = digestStateArea;
const resultAt = stateAt + stateBytes;
/** Source: FIPS 180-4, 5.3.1 */
const initial = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);

/**
 * A SHA-1 that goes on from cell to cell for whoever makes the cells: each is given the digest that it leads to, which costs
 * a kernel far less than to finish a hash object's copy. spec: tor-spec/relay-cells (digest)
 */
export class SealingDigest {
  #state: Uint8Array | undefined;
  /** The state while the digest rests, a character for each byte: a string is a quarter of an array. */
  #resting = '';

  /** @param seed 20 bytes. */
  constructor(seed: Uint8Array) {
    this.#state = new Uint8Array(stateBytes);
    this.#state.set(new Uint8Array(initial.buffer));
    this.#load();
    cellMemory.set(seed, resultAt);
    kernels.digestBytes(stateAt, resultAt, seed.length);
    this.#save();
  }

  /** Writes their digest fields into the cells of a run, in order. */
  seal(bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.#load();
    if (bytes === cellMemory) kernels.sealCells(stateAt, at, stride, count);
    else for (; count > 0; count--, at += stride) this.#sealElsewhere(bytes, at);
    this.#save();
  }

  #sealElsewhere(bytes: Uint8Array, at: number): void {
    cellMemory.set(bytes.subarray(at, at + cellBytes), bodyArea.at);
    kernels.sealCells(stateAt, bodyArea.at, cellBytes, 1);
    bytes.set(cellMemory.subarray(bodyArea.at + digestFrom, bodyArea.at + digestTo), at + digestFrom);
  }

  /** The digest so far, 20 bytes. */
  peek(): Uint8Array {
    this.#load();
    kernels.digestNow(stateAt, resultAt);
    return cellMemory.slice(resultAt, resultAt + digestBytes);
  }

  /** Gives back memory until it is used again. */
  rest(): void {
    if (this.#state === undefined) return;
    this.#resting = Buffer.from(this.#state).toString('latin1');
    this.#state = undefined;
  }

  #load(): void {
    this.#state ??= new Uint8Array(Buffer.from(this.#resting, 'latin1'));
    cellMemory.set(this.#state, stateAt);
  }

  #save(): void {
    this.#state?.set(cellMemory.subarray(stateAt, stateAt + stateBytes));
  }
}
