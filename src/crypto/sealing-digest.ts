import { bodyArea, cellMemory, digestStateArea, kernels } from './kernels/cell-memory.ts';
import { DigestState } from './kernels/digest-state.ts';

const cellBytes = 509;
/** Where a cell has its digest. */
const [digestFrom, digestTo] = [5, 9];
const { at: stateAt } = digestStateArea;

/**
 * A SHA-1 that goes on from cell to cell for whoever makes the cells: each is given the digest that it leads to, which costs
 * a kernel far less than to finish a hash object's copy. spec: tor-spec/relay-cells (digest)
 */
export class SealingDigest {
  readonly #state: DigestState;

  /** @param seed 20 bytes. */
  constructor(seed: Uint8Array) {
    this.#state = new DigestState(seed);
  }

  /** Writes their digest fields into the cells of a run, in order. */
  seal(bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.#state.load();
    if (bytes === cellMemory) kernels.sealCells(stateAt, at, stride, count);
    else for (; count > 0; count--, at += stride) this.#sealElsewhere(bytes, at);
    this.#state.keep();
  }

  #sealElsewhere(bytes: Uint8Array, at: number): void {
    cellMemory.set(bytes.subarray(at, at + cellBytes), bodyArea.at);
    kernels.sealCells(stateAt, bodyArea.at, cellBytes, 1);
    bytes.set(cellMemory.subarray(bodyArea.at + digestFrom, bodyArea.at + digestTo), at + digestFrom);
  }

  /** The digest so far, 20 bytes. */
  peek(): Uint8Array {
    this.#state.load();
    return this.#state.now();
  }

  /** Gives back memory until it is used again. */
  rest(): void {
    this.#state.rest();
  }
}
