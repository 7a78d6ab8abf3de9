/** Bytes waiting in order, kept as the chunks they came in. */
export class ByteQueue {
  length = 0;
  #chunks: Uint8Array[] = [];
  #first = 0;
  #offset = 0;

  /** Copies `bytes`. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes.slice());
    this.length += bytes.length;
  }

  /** Moves the next `into.length` bytes, which must be there, into `into`. */
  take(into: Uint8Array): void {
    for (let filled = 0; filled < into.length; ) {
      const chunk = this.#chunks[this.#first];
      const size = Math.min(into.length - filled, chunk.length - this.#offset);
      into.set(chunk.subarray(this.#offset, this.#offset + size), filled);
      filled += size;
      this.#offset += size;
      if (this.#offset === chunk.length) this.#dropFirst();
    }
    this.length -= into.length;
  }

  clear(): void {
    this.#chunks = [];
    this.#first = 0;
    this.#offset = 0;
    this.length = 0;
  }

  #dropFirst(): void {
    this.#first += 1;
    this.#offset = 0;
    if (this.#first === this.#chunks.length) {
      this.#chunks.length = 0;
      this.#first = 0;
    } else if (this.#first > 1_024) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
