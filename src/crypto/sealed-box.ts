import { scryptSync } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { utf8 } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import { fixedBytes, restBytes, struct, u8 } from '../base/struct.ts';
import type { Entropy } from '../ports.ts';

/** What is in a box; one kind is never taken for another. */
export type SealedKind = 'backup' | 'watch';

const kindBytes: Readonly<Record<SealedKind, number>> = { backup: 1, watch: 2 };
const writerOf: Readonly<Record<SealedKind, string>> = {
  backup: 'naulon backup',
  watch: 'naulon channel export',
};
const magic = utf8('naulon\0\x01');

const headFields = {
  magic: fixedBytes(8),
  kind: u8,
  /** scrypt: N = 2^logN, r, p. spec: RFC 7914 */
  logN: u8,
  r: u8,
  p: u8,
  salt: fixedBytes(16),
  nonce: fixedBytes(24),
};
const headStruct = struct(headFields);
const boxStruct = struct({ ...headFields, sealed: restBytes });
const headBytes = 60;
type Head = Parameters<typeof headStruct.encode>[0];

/** 64 MiB and a quarter of a second for each guess. */
const cost = { logN: 16, r: 8, p: 1 };
/** What a box of somebody else's may ask of this machine: 256 MiB. */
const logNMax = 18;

/**
 * Bytes that only who knows the passphrase can read or change: XChaCha20-Poly1305 under a key of scrypt. The head is
 * authenticated with them.
 */
export function seal(kind: SealedKind, plain: Uint8Array, passphrase: string, entropy: Entropy): Uint8Array {
  const head = { magic, kind: kindBytes[kind], ...cost, salt: entropy.bytes(16), nonce: entropy.bytes(24) };
  return boxStruct.encode({ ...head, sealed: cipherOf(head, passphrase).encrypt(plain) });
}

/** The bytes again; never throws for what a file holds. */
export function openSealed(
  kind: SealedKind,
  box: Uint8Array,
  passphrase: string,
): Result<
  Uint8Array,
  { code: 'SEALED_MALFORMED' | 'SEALED_OTHER_KIND' | 'SEALED_WRONG_PASSPHRASE'; detail?: string }
> {
  const read = boxStruct.decode(box);
  if (read === undefined || !magic.every((byte, at) => byte === read.magic[at]))
    return fail('SEALED_MALFORMED', 'naulon did not write it');
  const { sealed, ...head } = read;
  if (head.logN < 1 || head.logN > logNMax || head.r !== cost.r || head.p !== cost.p)
    return fail('SEALED_MALFORMED', 'it asks for more work than any that naulon writes');
  if (head.kind !== kindBytes[kind])
    return fail('SEALED_OTHER_KIND', `it holds something else; name what ${writerOf[kind]} has written`);
  try {
    return ok(cipherOf(head, passphrase).decrypt(sealed));
  } catch {
    // The cipher throws for every tag that is wrong, and for a box too short to have one.
    return fail('SEALED_WRONG_PASSPHRASE', 'another passphrase, or the file was changed');
  }
}

function cipherOf(head: Head, passphrase: string) {
  const { logN, r, p, salt, nonce } = head;
  const N = 2 ** logN;
  const key = scryptSync(passphrase.normalize('NFKC'), salt, 32, { N, r, p, maxmem: 256 * N * r });
  return xchacha20poly1305(key, nonce, headStruct.encode(head).subarray(0, headBytes));
}
