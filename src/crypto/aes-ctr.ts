import { type Cipher, createCipheriv } from 'node:crypto';
import { cellsPerRunMax } from '../base/limits.ts';
import { xorRun } from './kernels/cell-runs.ts';

const cellBytes = 509;
/** Key stream made at a time: one large update costs far less than many small ones. */
const aheadBytes = cellsPerRunMax * cellBytes;
const firstBytes = 2 * cellBytes;
const zeros = new Uint8Array(aheadBytes);

/** AES-128 in counter mode as one endless stream, applied in place. spec: tor-spec/preliminaries (counter from zero) */
export class AesCtr {
  readonly #cipher: Cipher;
  #stream: Uint8Array = zeros.subarray(0, 0);
  #used = 0;

  /** @param key 16 bytes. @param iv 16 bytes, all zero when absent. */
  constructor(key: Uint8Array, iv: Uint8Array = zeros.subarray(0, 16)) {
    this.#cipher = createCipheriv('aes-128-ctr', key, iv);
  }

  /** Exclusive-ors the next `length` bytes of the stream into bytes[at .. at + length). */
  apply(bytes: Uint8Array, at: number, length: number): void {
    while (length > 0) {
      if (this.#used === this.#stream.length) this.#refill();
      const take = Math.min(length, this.#stream.length - this.#used);
      let from = this.#used;
      for (const end = at + take; at < end; ) bytes[at++] ^= this.#stream[from++];
      this.#used = from;
      length -= take;
    }
  }

  /** Does so to `count` payloads of 509 bytes that lie `stride` bytes apart. */
  applyToCells(bytes: Uint8Array, at: number, stride: number, count: number): void {
    while (count > 0) {
      if (this.#used === this.#stream.length) this.#refill();
      // Whole cells' worth, unless the stream was used for something else before.
      const cells = Math.min(count, Math.floor((this.#stream.length - this.#used) / cellBytes));
      if (cells > 0) xorRun(bytes, at, stride, cells, this.#stream, this.#used);
      else this.apply(bytes, at, cellBytes);
      this.#used += cells * cellBytes;
      at += Math.max(cells, 1) * stride;
      count -= Math.max(cells, 1);
    }
  }

  /** The first stretch is short, because most circuits carry few cells; a circuit in use doubles it up to a whole run. */
  #refill(): void {
    const next = this.#stream.length === 0 ? firstBytes : Math.min(this.#stream.length * 2, aheadBytes);
    this.#stream = this.#cipher.update(zeros.subarray(0, next));
    this.#used = 0;
  }
}
