import { createHash } from 'node:crypto';

/** Numbers that follow from a seed, as fast as a fuzzer wants them (sfc32); nothing that must not be guessed is drawn here. */
export class Dice {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  constructor(seed: string) {
    const digest = createHash('sha256').update(seed).digest();
    this.#a = digest.readInt32LE(0);
    this.#b = digest.readInt32LE(4);
    this.#c = digest.readInt32LE(8);
  }

  /** 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    return this.next() % bound;
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.next() % times === 0;
  }

  /** A length up to `most`, mostly a short one. */
  short(most: number): number {
    const scale = this.below(4);
    return this.below(Math.max(1, Math.min(most, scale === 0 ? most : 4 ** scale)) + 1);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  shuffled<T>(items: readonly T[]): T[] {
    const mixed = [...items];
    for (let at = mixed.length - 1; at > 0; at--) {
      const other = this.below(at + 1);
      [mixed[at], mixed[other]] = [mixed[other], mixed[at]];
    }
    return mixed;
  }

  bytes(length: number): Uint8Array {
    const drawn = new Uint8Array(length);
    for (let at = 0; at < length; at += 4) {
      let word = this.next();
      for (let i = at; i < at + 4 && i < length; i++, word >>>= 8) drawn[i] = word & 0xff;
    }
    return drawn;
  }
}
