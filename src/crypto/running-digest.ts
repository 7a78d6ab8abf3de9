import { createHash, type Hash } from 'node:crypto';
import { assert } from '../base/assert.ts';

/** A SHA-1 that goes on from cell to cell, seeded with key material. spec: tor-spec/relay-cells (digest) */
export class RunningDigest {
  #hash: Hash;
  #tentative: Hash | undefined;

  /** @param seed 20 bytes. */
  constructor(seed: Uint8Array) {
    this.#hash = createHash('sha1').update(seed);
  }

  update(bytes: Uint8Array, at: number, length: number): void {
    this.#hash.update(bytes.subarray(at, at + length));
  }

  /** The digest so far, 20 bytes; the running state stays. */
  peek(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }

  /** What the digest would be with these bytes added; nothing changes until commit. */
  tentative(bytes: Uint8Array, at: number, length: number): Uint8Array {
    this.#tentative = this.#hash.copy().update(bytes.subarray(at, at + length));
    return this.#tentative.copy().digest();
  }

  /** Adds the bytes of the last tentative for good. */
  commit(): void {
    assert(this.#tentative !== undefined, 'a tentative digest to commit');
    this.#hash = this.#tentative;
    this.#tentative = undefined;
  }
}
