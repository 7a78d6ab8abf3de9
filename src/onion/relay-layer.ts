import { AesCtr } from '../crypto/aes-ctr.ts';
import { type CircuitKeys, circuitKeysOf } from '../crypto/circuit-keys.ts';
import { RunningDigest } from '../crypto/running-digest.ts';
import { SealingDigest } from '../crypto/sealing-digest.ts';
import { type RunTaker, sortRun } from './recognise.ts';

/** One hop's layer as the relay holds it (tor1). Cells are changed in place. */
export class RelayLayer {
  /** The keys of a layer that was never used, a character for each byte: a relay holds very many of them. */
  #unused: string;
  #used: Ciphers | undefined;
  /** So often `rest` was called since it was used last. */
  #rests = 0;

  constructor(keys: CircuitKeys) {
    const { forwardDigest, backwardDigest, forwardKey, backwardKey } = keys;
    const material = Buffer.concat([forwardDigest, backwardDigest, forwardKey, backwardKey]);
    this.#unused = material.toString('latin1');
  }

  /** Takes our layer off a run of the client's cells: `taker` has those for us, and the others as they go on. */
  fromClient(bytes: Uint8Array, at: number, stride: number, count: number, taker: RunTaker): void {
    const { forward, forwardDigest } = this.#inUse();
    forward.applyToCells(bytes, at, stride, count);
    sortRun(forwardDigest, bytes, at, stride, count, taker);
  }

  /** Makes a run of plain cells of our own ready for the client. */
  originate(bytes: Uint8Array, at: number, stride: number, count: number): void {
    const { backward, backwardDigest } = this.#inUse();
    backwardDigest.seal(bytes, at, stride, count);
    backward.applyToCells(bytes, at, stride, count);
  }

  /** Adds our layer to a run of a later hop's cells. */
  toClient(bytes: Uint8Array, at: number, stride: number, count: number): void {
    const { backward } = this.#inUse();
    backward.applyToCells(bytes, at, stride, count);
  }

  /** The 20 bytes that prove receipt of the last cell that was for us. */
  lastForwardDigest(): Uint8Array {
    return this.#inUse().forwardDigest.peek();
  }

  /** The 20 bytes by which the client proves receipt of the last cell that we originated. */
  lastBackwardDigest(): Uint8Array {
    return this.#inUse().backwardDigest.peek();
  }

  /** For so many rounds, from one call of `rest` to the next, it was not used. */
  get restedRounds(): number {
    return Math.max(0, this.#rests - 1);
  }

  /** If it was not used since the last call, it gives back what memory it can do without until it is. */
  rest(): void {
    this.#rests += 1;
    // What rests on has nothing left to give.
    if (this.restedRounds !== 1) return;
    this.#used?.forward.rest();
    this.#used?.backward.rest();
    this.#used?.forwardDigest.rest();
    this.#used?.backwardDigest.rest();
  }

  #inUse(): Ciphers {
    this.#rests = 0;
    return this.#used ?? this.#begin();
  }

  #begin(): Ciphers {
    this.#used = new Ciphers(circuitKeysOf(new Uint8Array(Buffer.from(this.#unused, 'latin1'))));
    this.#unused = '';
    return this.#used;
  }
}

class Ciphers {
  readonly forward: AesCtr;
  readonly backward: AesCtr;
  readonly forwardDigest: RunningDigest;
  readonly backwardDigest: SealingDigest;

  constructor(keys: CircuitKeys) {
    this.forward = new AesCtr(keys.forwardKey);
    this.backward = new AesCtr(keys.backwardKey);
    this.forwardDigest = new RunningDigest(keys.forwardDigest);
    this.backwardDigest = new SealingDigest(keys.backwardDigest);
  }
}
