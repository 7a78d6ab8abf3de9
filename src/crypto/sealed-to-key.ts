import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concatBytes } from '../base/bytes.ts';
import type { Entropy } from '../ports.ts';
import { isPublicKey, SigningKey, sharedSecret } from './ecdsa.ts';

/**
 * Bytes that the holder of one secp256k1 key alone can read: a fresh key's public half (33), the ciphertext, and a tag
 * (16). The fresh key seals once, so that its AES-256-GCM nonce is zero.
 */

const nonce = new Uint8Array(12);
const tagBytes = 16;
const publicKeyBytes = 33;

/** @param publicKey 33 bytes that spell a point. */
export function sealTo(publicKey: Uint8Array, plain: Uint8Array, entropy: Entropy): Uint8Array {
  const fresh = SigningKey.fresh(entropy);
  const cipher = createCipheriv('aes-256-gcm', sharedSecret(fresh.secret, publicKey), nonce);
  cipher.setAAD(fresh.publicKey);
  return concatBytes(fresh.publicKey, cipher.update(plain), cipher.final(), cipher.getAuthTag());
}

/** Undefined for what was not sealed to this key, or was changed. */
export function unseal(key: SigningKey, box: Uint8Array): Uint8Array | undefined {
  const fresh = box.subarray(0, publicKeyBytes);
  if (box.length < publicKeyBytes + tagBytes || !isPublicKey(fresh)) return undefined;
  const cipher = createDecipheriv('aes-256-gcm', sharedSecret(key.secret, fresh), nonce);
  cipher.setAAD(fresh);
  cipher.setAuthTag(box.subarray(-tagBytes));
  try {
    return new Uint8Array(
      concatBytes(cipher.update(box.subarray(publicKeyBytes, -tagBytes)), cipher.final()),
    );
  } catch {
    return undefined;
  }
}
