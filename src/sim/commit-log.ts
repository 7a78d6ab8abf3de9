import { createHash } from 'node:crypto';
import { ByteReader, ByteWriter, concatBytes, equalBytes, fromUtf8, utf8 } from '../base/bytes.ts';
import type { StoreWrite } from '../ports.ts';
import type { SeededEntropy } from './seeded-entropy.ts';
import { SimDisk } from './sim-disk.ts';

const checksumBytes = 8;
const headBytes = 4 + checksumBytes;

/**
 * Commits on a disk, one behind the other. A checksum over each, and over its number, tells at recovery where the last
 * whole one ends: behind it may lie what a power cut tore, or what an earlier use of the place left.
 */
export class CommitLog {
  readonly #disk = new SimDisk();
  /** Where each commit ends that its keeper has not taken note of, the oldest first. */
  #ends: number[] = [];
  /** Number of the first of these, and where it begins. */
  #first = 0;
  #firstAt = 0;

  append(writes: readonly StoreWrite[]): void {
    const payload = encode(writes);
    const number = this.#first + this.#ends.length;
    const head = new ByteWriter().u32(payload.length).bytes(checksum(number, payload)).finish();
    const at = this.#ends.at(-1) ?? this.#firstAt;
    this.#disk.write(at, concatBytes(head, payload));
    this.#ends.push(at + head.length + payload.length);
  }

  /** Syncs the disk; the oldest commit is its keeper's from now on. */
  takeOldest(): void {
    this.#disk.sync();
    this.#firstAt = this.#ends.shift() ?? 0;
    this.#first += 1;
    // Nothing is kept here: the place is used again.
    if (this.#ends.length === 0) this.#firstAt = 0;
  }

  /** The power goes. Returns the commits that are left whole, in order; they are their keeper's now. */
  recover(entropy: SeededEntropy): StoreWrite[][] {
    this.#disk.losePower(entropy);
    const whole: StoreWrite[][] = [];
    let at = this.#firstAt;
    while (whole.length < this.#ends.length) {
      const payload = this.#payloadAt(at, this.#first + whole.length);
      if (payload === undefined) break;
      whole.push(decode(payload));
      at += headBytes + payload.length;
    }
    this.#first += whole.length;
    this.#firstAt = 0;
    this.#ends = [];
    return whole;
  }

  #payloadAt(at: number, number: number): Uint8Array | undefined {
    const head = new ByteReader(this.#disk.read(at, headBytes));
    const length = head.u32();
    if (at + headBytes + length > this.#disk.length) return undefined;
    const payload = this.#disk.read(at + headBytes, length);
    return equalBytes(head.bytes(checksumBytes), checksum(number, payload)) ? payload : undefined;
  }
}

function checksum(number: number, payload: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(new ByteWriter().u32(number).finish()).update(payload).digest();
  return hash.subarray(0, checksumBytes);
}

function encode(writes: readonly StoreWrite[]): Uint8Array {
  const bytes = new ByteWriter().u16(writes.length);
  for (const { key, value } of writes) {
    const name = utf8(key);
    bytes
      .u16(name.length)
      .bytes(name)
      .u8(value === undefined ? 0 : 1);
    bytes.u32(value?.length ?? 0).bytes(value ?? new Uint8Array(0));
  }
  return bytes.finish();
}

function decode(payload: Uint8Array): StoreWrite[] {
  const read = new ByteReader(payload);
  return Array.from({ length: read.u16() }, () => {
    const key = fromUtf8(read.bytes(read.u16()));
    const present = read.u8() === 1;
    const value = read.bytes(read.u32());
    return { key, value: present ? value.slice() : undefined };
  });
}
