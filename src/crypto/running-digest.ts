import { createHash, type Hash } from 'node:crypto';
import { assert } from '../base/assert.ts';

/** A SHA-1 that goes on from cell to cell, seeded with key material. spec: tor-spec/relay-cells (digest) */
export class RunningDigest {
  #hash: Hash;
  /** What `#hash` comes to, where it is known. */
  #digest: Uint8Array | undefined;
  #tentative: Hash | undefined;
  #tentativeDigest: Uint8Array | undefined;

  /** @param seed 20 bytes. */
  constructor(seed: Uint8Array) {
    this.#hash = createHash('sha1').update(seed);
  }

  update(bytes: Uint8Array, at: number, length: number): void {
    this.#hash.update(bytes.subarray(at, at + length));
    this.#digest = undefined;
  }

  /** The digest so far, 20 bytes; the running state stays. */
  peek(): Uint8Array {
    this.#digest ??= this.#hash.copy().digest();
    return new Uint8Array(this.#digest);
  }

  /** What the digest would be with these bytes added; nothing changes until commit. */
  tentative(bytes: Uint8Array, at: number, length: number): Uint8Array {
    this.#tentative = this.#hash.copy().update(bytes.subarray(at, at + length));
    this.#tentativeDigest = this.#tentative.copy().digest();
    return this.#tentativeDigest;
  }

  /** Adds the bytes of the last tentative for good. */
  commit(): void {
    assert(this.#tentative !== undefined, 'a tentative digest to commit');
    this.#hash = this.#tentative;
    this.#digest = this.#tentativeDigest;
    this.#tentative = undefined;
    this.#tentativeDigest = undefined;
  }
}
