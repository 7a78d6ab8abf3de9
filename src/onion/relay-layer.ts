import { cellPayloadBytes } from '../cell/link-codec.ts';
import { AesCtr } from '../crypto/aes-ctr.ts';
import type { CircuitKeys } from '../crypto/circuit-keys.ts';
import { RunningDigest } from '../crypto/running-digest.ts';
import { recognise, sealDigest } from './recognise.ts';

/** One hop's layer as the relay holds it (tor1). Cells are changed in place: bytes[at .. at + 509). */
export class RelayLayer {
  #forward: AesCtr;
  #backward: AesCtr;
  #forwardDigest: RunningDigest;
  #backwardDigest: RunningDigest;

  constructor(keys: CircuitKeys) {
    this.#forward = new AesCtr(keys.forwardKey);
    this.#backward = new AesCtr(keys.backwardKey);
    this.#forwardDigest = new RunningDigest(keys.forwardDigest);
    this.#backwardDigest = new RunningDigest(keys.backwardDigest);
  }

  /** Takes our layer off a cell of the client. True: it is for us; false: it goes to the next hop as it is now. */
  fromClient(bytes: Uint8Array, at: number): boolean {
    this.#forward.apply(bytes, at, cellPayloadBytes);
    return recognise(this.#forwardDigest, bytes, at);
  }

  /** Makes a plain cell of our own ready for the client. */
  originate(bytes: Uint8Array, at: number): void {
    sealDigest(this.#backwardDigest, bytes, at);
    this.#backward.apply(bytes, at, cellPayloadBytes);
  }

  /** Adds our layer to a cell of a later hop. */
  toClient(bytes: Uint8Array, at: number): void {
    this.#backward.apply(bytes, at, cellPayloadBytes);
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
