import { diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { assert } from '../src/base/assert.ts';
import { keyPairFromSecret } from '../src/bitcoin/keys.ts';
import { signDigest, verifyDigest } from '../src/crypto/ecdsa.ts';

/** The primitives against which we measure what we make of them. */

/** One after the other, so that the clock is read once for all. */
export function times(batch: number, work: () => void): () => void {
  return () => {
    for (let i = 0; i < batch; i++) work();
  };
}

/** Enough that a processor does not learn them: verifying one again and again is a fifteenth cheaper. */
const signed = 1_024;

/** Both of secp256k1, by the native library that payments use. */
export function rawSignatures(): { readonly sign: () => void; readonly verify: () => void } {
  const secret = new Uint8Array(32).fill(7);
  const { publicKey } = keyPairFromSecret(secret);
  const digests = Array.from({ length: signed }, () => new Uint8Array(randomBytes(32)));
  const signatures = digests.map(digest => signDigest(secret, digest));
  let at = 0;
  const next = (): number => {
    at = (at + 1) % signed;
    return at;
  };
  return {
    sign: () => void signDigest(secret, digests[next()]),
    verify: () => assert(verifyDigest(publicKey, digests[next()], signatures[at]), 'a valid signature'),
  };
}

/** A shared secret of x25519, by OpenSSL. */
export function rawKeyExchange(): () => void {
  const { privateKey } = generateKeyPairSync('x25519');
  const { publicKey } = generateKeyPairSync('x25519');
  return () => void diffieHellman({ privateKey, publicKey });
}
