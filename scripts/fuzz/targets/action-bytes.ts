/**
 * Reads what an input tells a target to do. Any bytes mean something, and there are always more: behind an input's end come
 * numbers that follow from its bytes.
 */
export class ActionReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #state = 0x9e37_79b9;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    const byte = this.#at < this.#bytes.length ? this.#bytes[this.#at++] : this.#state >>> 24;
    this.#state = (Math.imul(this.#state ^ byte, 0x0100_0193) + 0x6b43) | 0;
    return byte;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  /** A length (1 byte, or 255 and 2 more), then so many bytes, at most `most`; behind the input's end zeros, mostly. */
  bytes(most: number): Uint8Array {
    const short = this.u8();
    const length = Math.min(short === 255 ? this.u16() : short, most);
    const found = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += found.length;
    if (found.length === length) return found;
    const padded = new Uint8Array(length);
    padded.set(found);
    for (let at = found.length; at < length && at < found.length + 8; at++) padded[at] = this.u8();
    return padded;
  }
}

/** As `ActionReader.bytes` reads them. */
export function sized(bytes: Uint8Array): number[] {
  return bytes.length < 255
    ? [bytes.length, ...bytes]
    : [255, bytes.length >> 8, bytes.length & 0xff, ...bytes];
}
