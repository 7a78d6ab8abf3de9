import { createHash, type Hash } from 'node:crypto';
import { DigestState } from './kernels/digest-state.ts';

/** Up to four cells. OpenSSL hashes more in so much less time that it pays for the copies. */
const shortBytesMax = 4 * 509;

/**
 * A SHA-1 that goes on from cell to cell, seeded with key material, for whoever tries what came. To try bytes takes two copies of
 * OpenSSL's, each an object that the collector of garbage has to have destroyed, which for few cells is several times what
 * hashing them costs. So a kernel tries those, until more have come at once. spec: tor-spec/relay-cells (digest)
 */
export class RunningDigest {
  #hash: Hash;
  /** As far as `#hash`; undefined for good once it was left behind. */
  #short: DigestState | undefined;
  /** What they come to, where it is known. */
  #digest: Uint8Array | undefined;

  /** @param seed 20 bytes. */
  constructor(seed: Uint8Array) {
    this.#hash = createHash('sha1').update(seed);
    this.#short = new DigestState(seed);
  }

  /** Adds bytes if the digest then begins with these four, and else stays as it is. */
  addIf(bytes: Uint8Array, first: number): boolean {
    if (bytes.length > shortBytesMax) this.#short = undefined;
    return this.#short === undefined
      ? this.#addLong(bytes, first)
      : this.#addShort(this.#short, bytes, first);
  }

  /** The digest so far, 20 bytes. */
  peek(): Uint8Array {
    this.#digest ??= this.#hash.copy().digest();
    return new Uint8Array(this.#digest);
  }

  /** Gives back memory until it is used again. */
  rest(): void {
    this.#short?.rest();
  }

  #addShort(state: DigestState, bytes: Uint8Array, first: number): boolean {
    state.load();
    state.add(bytes);
    const digest = state.now();
    if (firstOf(digest) !== first) return false;
    state.keep();
    this.#hash.update(bytes);
    this.#digest = digest;
    return true;
  }

  #addLong(bytes: Uint8Array, first: number): boolean {
    const hash = this.#hash.copy().update(bytes);
    const digest = hash.copy().digest();
    if (firstOf(digest) !== first) return false;
    this.#hash = hash;
    this.#digest = digest;
    return true;
  }
}

/** Its first four bytes, as a cell carries them. */
function firstOf(digest: Uint8Array): number {
  return ((digest[0] << 24) | (digest[1] << 16) | (digest[2] << 8) | digest[3]) >>> 0;
}
