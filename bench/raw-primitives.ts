import { diffieHellman, generateKeyPairSync } from 'node:crypto';
import { assert } from '../src/base/assert.ts';
import { keyPairFromSecret, signDigest, verifyDigest } from '../src/bitcoin/keys.ts';

/** The primitives against which we measure what we make of them. */

/** One after the other, so that the clock is read once for all. */
export function times(batch: number, work: () => void): () => void {
  return () => {
    for (let i = 0; i < batch; i++) work();
  };
}

/** Both of secp256k1, by the native library that payments use. */
export function rawSignatures(): { readonly sign: () => void; readonly verify: () => void } {
  const secret = new Uint8Array(32).fill(7);
  const digest = new Uint8Array(32).fill(9);
  const { publicKey } = keyPairFromSecret(secret);
  const signature = signDigest(secret, digest);
  return {
    sign: () => void signDigest(secret, digest),
    verify: () => assert(verifyDigest(publicKey, digest, signature), 'a valid signature'),
  };
}

/** A shared secret of x25519, by OpenSSL. */
export function rawKeyExchange(): () => void {
  const { privateKey } = generateKeyPairSync('x25519');
  const { publicKey } = generateKeyPairSync('x25519');
  return () => void diffieHellman({ privateKey, publicKey });
}
