import { AesCtr } from '../crypto/aes-ctr.ts';
import type { CircuitKeys } from '../crypto/circuit-keys.ts';
import { RunningDigest } from '../crypto/running-digest.ts';
import { SealingDigest } from '../crypto/sealing-digest.ts';
import { type RunTaker, sortRun } from './recognise.ts';

/** One hop's layer as the relay holds it (tor1). Cells are changed in place. */
export class RelayLayer {
  #forward: AesCtr;
  #backward: AesCtr;
  #forwardDigest: RunningDigest;
  #backwardDigest: SealingDigest;

  constructor(keys: CircuitKeys) {
    this.#forward = new AesCtr(keys.forwardKey);
    this.#backward = new AesCtr(keys.backwardKey);
    this.#forwardDigest = new RunningDigest(keys.forwardDigest);
    this.#backwardDigest = new SealingDigest(keys.backwardDigest);
  }

  /** Takes our layer off a run of the client's cells: `taker` has those for us, and the others as they go on. */
  fromClient(bytes: Uint8Array, at: number, stride: number, count: number, taker: RunTaker): void {
    this.#forward.applyToCells(bytes, at, stride, count);
    sortRun(this.#forwardDigest, bytes, at, stride, count, taker);
  }

  /** Makes a run of plain cells of our own ready for the client. */
  originate(bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.#backwardDigest.seal(bytes, at, stride, count);
    this.#backward.applyToCells(bytes, at, stride, count);
  }

  /** Adds our layer to a run of a later hop's cells. */
  toClient(bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.#backward.applyToCells(bytes, at, stride, count);
  }

  /** The 20 bytes that prove receipt of the last cell that was for us. */
  lastForwardDigest(): Uint8Array {
    return this.#forwardDigest.peek();
  }

  /** The 20 bytes by which the client proves receipt of the last cell that we originated. */
  lastBackwardDigest(): Uint8Array {
    return this.#backwardDigest.peek();
  }
}
