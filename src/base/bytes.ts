import { assert } from './assert.ts';

/**
 * Reads big-endian fields in order. Reading past the end never throws: it sets `short` and yields zeros, so a decoder
 * reads all its fields first and asks `short` (or `exhausted`) once.
 */
export class ByteReader {
  short = false;
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  get offset(): number {
    return this.#at;
  }

  /** True when every byte was read and none was missing. */
  get exhausted(): boolean {
    return !this.short && this.remaining === 0;
  }

  u8(): number {
    return this.#number(1);
  }

  u16(): number {
    return this.#number(2);
  }

  u32(): number {
    return this.#number(4);
  }

  u64(): bigint {
    const high = this.#number(4);
    const low = BigInt(this.#number(4));
    return high === 0 ? low : (BigInt(high) << 32n) | low;
  }

  /** A view, not a copy, of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    if (length < 0 || length > this.remaining) {
      this.short = true;
      this.#at = this.#bytes.length;
      return new Uint8Array(Math.min(Math.max(length, 0), 65536));
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The next `length` bytes, which outlive what is read. */
  copy(length: number): Uint8Array {
    if (length < 0 || length > this.remaining) return this.bytes(length);
    this.#at += length;
    return Uint8Array.prototype.slice.call(this.#bytes, this.#at - length, this.#at);
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  #number(width: number): number {
    if (width > this.remaining) {
      this.short = true;
      this.#at = this.#bytes.length;
      return 0;
    }
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + this.#bytes[this.#at++];
    return value;
  }
}

const u64Max = (1n << 64n) - 1n;
const u64Bytes = new Uint8Array(8);
const u64View = new DataView(u64Bytes.buffer);

/** Builds big-endian bytes; values out of a field's range are our own bugs and assert. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  /** @param expected how many bytes will be written; if just so many are, they are never copied. */
  constructor(expected = 64) {
    this.#bytes = new Uint8Array(expected);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    return this.#number(value, 1);
  }

  u16(value: number): this {
    return this.#number(value, 2);
  }

  u32(value: number): this {
    return this.#number(value, 4);
  }

  u64(value: bigint): this {
    assert(value >= 0n && value <= u64Max, 'u64 in range');
    u64View.setBigUint64(0, value);
    return this.bytes(u64Bytes);
  }

  bytes(value: Uint8Array): this {
    const start = this.#grow(value.length);
    this.#bytes.set(value, start);
    return this;
  }

  /** A fresh array holding all that was written. */
  finish(): Uint8Array {
    // What is full grows elsewhere, should more be written.
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#length);
  }

  #number(value: number, width: number): this {
    assert(Number.isInteger(value) && value >= 0 && value < 256 ** width, `u${width * 8} in range`);
    const start = this.#grow(width);
    for (let at = start + width - 1; at >= start; at--) {
      this.#bytes[at] = value % 256;
      value = Math.floor(value / 256);
    }
    return this;
  }

  /** Where so many more bytes begin. */
  #grow(width: number): number {
    const start = this.#length;
    this.#length += width;
    if (this.#length > this.#bytes.length) {
      const before = this.#bytes;
      this.#bytes = new Uint8Array(Math.max(this.#length, 2 * before.length));
      this.#bytes.set(before);
    }
    return start;
  }
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Plain comparison, for public values; secrets are compared by crypto/constant-time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** The bytes that `text` spells, or undefined when it is not an even run of hex digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** Base64 without padding, as Tor documents write keys and digests. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64').replace(/=+$/, '');
}

/** Accepts padded and unpadded base64; undefined for anything else. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, 'base64'));
}

export function utf8(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'utf8'));
}

export function fromUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

/**
 * What is left of bytes that wait: a view, and a copy once it is less than half of the memory that it holds on to. Copies
 * no byte more than once on average.
 */
export function restOf(bytes: Uint8Array, from: number): Uint8Array {
  const rest = bytes.subarray(from);
  return rest.length * 2 < bytes.buffer.byteLength ? new Uint8Array(rest) : rest;
}
