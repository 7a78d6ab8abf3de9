import { type Cipher, createCipheriv } from 'node:crypto';

/** Key stream made at a time: 64 cells' payloads, since one large update costs far less than many small ones. */
const aheadBytes = 64 * 509;
const firstBytes = 2 * 509;
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
      const stream = this.#stream;
      const take = Math.min(length, stream.length - this.#used);
      let from = this.#used;
      for (const end = at + take; at < end; ) bytes[at++] ^= stream[from++];
      this.#used = from;
      length -= take;
    }
  }

  /** The first stretch is short, because most circuits carry few cells; a circuit in use doubles it up to 64 cells. */
  #refill(): void {
    const next = this.#stream.length === 0 ? firstBytes : Math.min(this.#stream.length * 2, aheadBytes);
    this.#stream = this.#cipher.update(zeros.subarray(0, next));
    this.#used = 0;
  }
}
