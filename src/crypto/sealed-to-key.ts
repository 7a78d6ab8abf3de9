import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concatBytes } from '../base/bytes.ts';
import type { Entropy } from '../ports.ts';
import { isPublicKey, SigningKey, sharedSecret } from './ecdsa.ts';

/**
 * Bytes that the holder of one secp256k1 key alone can read: a fresh key's public half (33), the ciphertext, and a tag
 * (16). The fresh key seals once, so that its AES-256-GCM nonce is zero. A reply is sealed with the same secret, under a
 * nonce (12) of its own each time: who carries a request may bring it twice and get two replies.
 */

const zeroNonce = new Uint8Array(12);
const nonceBytes = 12;
const tagBytes = 16;
const publicKeyBytes = 33;

/** @param publicKey 33 bytes that spell a point. */
export function sealTo(publicKey: Uint8Array, plain: Uint8Array, entropy: Entropy): Uint8Array {
  return sealRequest(publicKey, plain, entropy).box;
}

/** Undefined for what was not sealed to this key, or was changed. */
export function unseal(key: SigningKey, box: Uint8Array): Uint8Array | undefined {
  return openRequest(key, box)?.plain;
}

export interface SealedRequest {
  readonly box: Uint8Array;
  /** Undefined for what the holder of the key did not seal in reply to this request. */
  openReply(box: Uint8Array): Uint8Array | undefined;
}

/** Sealed so that the reply can be sealed too. @param publicKey 33 bytes that spell a point. */
export function sealRequest(publicKey: Uint8Array, plain: Uint8Array, entropy: Entropy): SealedRequest {
  const fresh = SigningKey.fresh(entropy);
  const secret = sharedSecret(fresh.secret, publicKey);
  return {
    box: concatBytes(fresh.publicKey, encrypt(secret, zeroNonce, fresh.publicKey, plain)),
    openReply: box =>
      decrypt(secret, box.subarray(0, nonceBytes), replyLabel(fresh.publicKey), box.subarray(nonceBytes)),
  };
}

export interface OpenedRequest {
  readonly plain: Uint8Array;
  sealReply(plain: Uint8Array, entropy: Entropy): Uint8Array;
}

/** Undefined for what was not sealed to this key, or was changed. */
export function openRequest(key: SigningKey, box: Uint8Array): OpenedRequest | undefined {
  const fresh = box.slice(0, publicKeyBytes);
  if (!isPublicKey(fresh)) return undefined;
  const secret = sharedSecret(key.secret, fresh);
  const plain = decrypt(secret, zeroNonce, fresh, box.subarray(publicKeyBytes));
  if (plain === undefined) return undefined;
  return {
    plain,
    sealReply(reply, entropy) {
      const nonce = entropy.bytes(nonceBytes);
      return concatBytes(nonce, encrypt(secret, nonce, replyLabel(fresh), reply));
    },
  };
}

/** A request that is sent back is no reply. */
function replyLabel(fresh: Uint8Array): Uint8Array {
  return concatBytes(fresh, Uint8Array.of(1));
}

function encrypt(secret: Uint8Array, nonce: Uint8Array, label: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', secret, nonce);
  cipher.setAAD(label);
  return concatBytes(cipher.update(plain), cipher.final(), cipher.getAuthTag());
}

function decrypt(
  secret: Uint8Array,
  nonce: Uint8Array,
  label: Uint8Array,
  box: Uint8Array,
): Uint8Array | undefined {
  if (nonce.length !== nonceBytes || box.length < tagBytes) return undefined;
  const cipher = createDecipheriv('aes-256-gcm', secret, nonce);
  cipher.setAAD(label);
  cipher.setAuthTag(box.subarray(-tagBytes));
  try {
    return new Uint8Array(concatBytes(cipher.update(box.subarray(0, -tagBytes)), cipher.final()));
  } catch {
    return undefined;
  }
}
