import { createHash, hash } from 'node:crypto';
import { concatBytes } from '../base/bytes.ts';

export function sha1(...parts: readonly Uint8Array[]): Uint8Array {
  return hashOf('sha1', ...parts);
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return hashOf('sha256', ...parts);
}

/** spec: bip-0141, what P2WPKH pays */
export function hash160(bytes: Uint8Array): Uint8Array {
  return hashOf('ripemd160', sha256(bytes));
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new HmacSha256(key).digest(message);
}

const blockBytes = 64;

/** HMAC under one key, by plain hashes in one call each: a third of what OpenSSL's object for it costs. spec: RFC 2104 */
export class HmacSha256 {
  readonly #inner: Uint8Array;
  readonly #outer: Uint8Array;

  constructor(key: Uint8Array) {
    const short = key.length > blockBytes ? sha256(key) : key;
    this.#inner = padded(short, 0x36);
    this.#outer = padded(short, 0x5c);
  }

  digest(...parts: readonly Uint8Array[]): Uint8Array {
    return hashOf('sha256', this.#outer, hashOf('sha256', this.#inner, ...parts));
  }
}

function padded(key: Uint8Array, pad: number): Uint8Array {
  const block = new Uint8Array(blockBytes).fill(pad);
  for (let i = 0; i < key.length; i++) block[i] ^= key[i];
  return block;
}

/** Key material from a secret, whose extraction `salt` keys. spec: RFC 5869 */
export function hkdfSha256(
  salt: HmacSha256,
  secret: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array {
  const expand = new HmacSha256(salt.digest(secret));
  const material = new Uint8Array(length);
  let block: Uint8Array = new Uint8Array(0);
  for (let at = 0, count = 1; at < length; at += block.length, count++) {
    block = expand.digest(block, info, Uint8Array.of(count));
    material.set(block.subarray(0, length - at), at);
  }
  return material;
}

/** What is hashed is put together here: handshakes hash many short pieces, and memory of its own for each costs more than that. */
const desk = new Uint8Array(1_024);

function hashOf(algorithm: string, ...parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return plain(hash(algorithm, parts[0], 'buffer'));
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > desk.length) return plain(hash(algorithm, concatBytes(...parts), 'buffer'));
  let at = 0;
  for (const part of parts) {
    desk.set(part, at);
    at += part.length;
  }
  const made = plain(hash(algorithm, desk.subarray(0, length), 'buffer'));
  desk.fill(0, 0, length);
  return made;
}

/** The same bytes: a Buffer's `slice` would not copy. */
function plain({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** SHA-256 over what has been added so far. */
export class Sha256Log {
  readonly #hash = createHash('sha256');

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }
}
