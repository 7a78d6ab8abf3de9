import { type Cipher, createCipheriv } from 'node:crypto';
import { toHex } from '../base/bytes.ts';
import { keyStreamCells } from '../base/limits.ts';
import { xorRun } from './kernels/cell-runs.ts';

const cellBytes = 509;
const blockBytes = 16;
/** One large update costs far less than many small ones, until what it makes falls out of the cache. */
const aheadBytes = keyStreamCells * cellBytes;
const firstBytes = 2 * cellBytes;
const zeros = new Uint8Array(aheadBytes);
const none = zeros.subarray(0, 0);
const fromZero = zeros.subarray(0, blockBytes);

/** AES-128 in counter mode as one endless stream, applied in place. spec: tor-spec/preliminaries (counter from zero) */
export class AesCtr {
  readonly #key: Uint8Array;
  readonly #iv: Uint8Array;
  /** Of OpenSSL, which is larger than all the rest: made when it is needed, and let go by `rest`. */
  #cipher: Cipher | undefined;
  #stream: Uint8Array = none;
  #used = 0;
  /** How many bytes of the stream lie before `#stream`. */
  #before = 0;

  /** @param key 16 bytes. @param iv 16 bytes, all zero when absent. */
  constructor(key: Uint8Array, iv: Uint8Array = fromZero) {
    this.#key = key;
    this.#iv = iv;
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

  /** Gives back all memory but for the key and the place in the stream, where it goes on when it is used again. */
  rest(): void {
    this.#before += this.#used;
    this.#used = 0;
    giveBack(this.#stream);
    this.#stream = none;
    this.#cipher = undefined;
  }

  /** The first stretch is short, because most circuits carry few cells; a circuit in use doubles it. */
  #refill(): void {
    const next = this.#stream.length === 0 ? firstBytes : Math.min(this.#stream.length * 2, aheadBytes);
    this.#before += this.#stream.length;
    this.#cipher ??= cipherAt(this.#key, this.#iv, this.#before);
    giveBack(this.#stream);
    this.#stream = this.#cipher.update(zeros.subarray(0, next));
    this.#used = 0;
  }
}

/**
 * The next stretch takes the memory of this one. A collector that sees small objects alone would let them gather until they are
 * a third of what a relay has resident, and none of them is in a cache when its turn comes.
 */
function giveBack(stream: Uint8Array): void {
  const memory: ArrayBufferLike & { transfer?(bytes: number): ArrayBuffer } = stream.buffer;
  // Memory that is shared with others, as that of the empty stream, is not ours to give.
  if (memory.byteLength === stream.length) memory.transfer?.(0);
}

/** A cipher whose stream goes on behind so many bytes. */
function cipherAt(key: Uint8Array, iv: Uint8Array, bytes: number): Cipher {
  const blocks = Math.floor(bytes / blockBytes);
  const cipher = createCipheriv('aes-128-ctr', key, blocks === 0 ? iv : counterAfter(iv, blocks));
  cipher.update(zeros.subarray(0, bytes % blockBytes));
  return cipher;
}

/** The counter is one number of 128 bits, which begins anew behind its largest. spec: SP 800-38A, B.1 */
function counterAfter(iv: Uint8Array, blocks: number): Uint8Array {
  const counter = BigInt.asUintN(128, BigInt(`0x${toHex(iv)}`) + BigInt(blocks));
  return Buffer.from(counter.toString(16).padStart(2 * blockBytes, '0'), 'hex');
}
