import { createHash } from 'node:crypto';
import { fromHex } from '../base/bytes.ts';
import { equalSecrets } from './constant-time.ts';

/**
 * A password as torrc's HashedControlPassword and `tor --hash-password` write it: `16:` and in hex a salt of 8 bytes, a
 * byte that says how much is hashed, and the SHA-1. spec: control-spec 5.1, RFC 2440 3.6.1.3 (iterated and salted S2K)
 */
export interface HashedPassword {
  readonly salt: Uint8Array;
  readonly hashedBytes: number;
  readonly digest: Uint8Array;
}

/** Undefined for a text that is none. */
export function parseHashedPassword(text: string): HashedPassword | undefined {
  const bytes = text.startsWith('16:') ? fromHex(text.slice(3)) : undefined;
  if (bytes?.length !== 29) return undefined;
  const count = bytes[8];
  return {
    salt: bytes.subarray(0, 8),
    hashedBytes: (16 + (count & 15)) << ((count >> 4) + 6),
    digest: bytes.subarray(9),
  };
}

/** Salt and password are hashed again and again until so many bytes went in. */
export function isPassword({ salt, hashedBytes, digest }: HashedPassword, password: Uint8Array): boolean {
  const hash = createHash('sha1');
  const round = Buffer.concat([salt, password]);
  let left = hashedBytes;
  for (; left >= round.length; left -= round.length) hash.update(round);
  hash.update(round.subarray(0, left));
  return equalSecrets(new Uint8Array(hash.digest()), digest);
}
