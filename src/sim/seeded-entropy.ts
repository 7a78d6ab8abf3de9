import { type Cipher, createCipheriv, createHash } from 'node:crypto';
import { assert } from '../base/assert.ts';
import type { Entropy } from '../ports.ts';

const batchBytes = 4_096;
const zeros = new Uint8Array(batchBytes);

/**
 * Bytes that look random and follow from a seed and a name alone: the AES-128-CTR key stream under SHA-256(seed, name).
 * Each node forks its own, so that what one node draws never moves what another gets.
 */
export class SeededEntropy implements Entropy {
  readonly #path: string;
  readonly #stream: Cipher;
  #batch = new Uint8Array(0);
  #used = 0;

  constructor(seed: string | number) {
    this.#path = String(seed);
    const key = createHash('sha256').update(this.#path).digest().subarray(0, 16);
    this.#stream = createCipheriv('aes-128-ctr', key, zeros.subarray(0, 16));
  }

  /** An independent stream; the same name gives the same stream, however much was drawn here. */
  fork(name: string): SeededEntropy {
    return new SeededEntropy(`${this.#path}/${name}`);
  }

  bytes(length: number): Uint8Array {
    const drawn = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      if (this.#used === this.#batch.length) this.#nextBatch();
      const take = Math.min(length - filled, this.#batch.length - this.#used);
      drawn.set(this.#batch.subarray(this.#used, this.#used + take), filled);
      this.#used += take;
      filled += take;
    }
    return drawn;
  }

  /** A whole number from 0 to below `bound`. The bias of the remainder is far below what a simulation can see. */
  below(bound: number): number {
    assert(Number.isInteger(bound) && bound > 0 && bound <= 2 ** 32, 'bound of a drawn number');
    let value = 0;
    for (let byte = 0; byte < 6; byte++) {
      if (this.#used === this.#batch.length) this.#nextBatch();
      value = value * 256 + this.#batch[this.#used];
      this.#used += 1;
    }
    return value % bound;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  #nextBatch(): void {
    this.#batch = this.#stream.update(zeros);
    this.#used = 0;
  }
}
