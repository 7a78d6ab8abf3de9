import { diffieHellman, type KeyObject } from 'node:crypto';
import type { Entropy } from '../ports.ts';
import { privateKeyOf, publicBytesOf, publicKeyOf } from './curve-key.ts';

/** A Curve25519 key pair; both halves 32 bytes. */
export interface X25519KeyPair {
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** OpenSSL's form of secrets that are in use: to make it anew costs as much as a key exchange. */
const privateKeys = new WeakMap<Uint8Array, KeyObject>();

export function x25519FromSecret(secret: Uint8Array): X25519KeyPair {
  return { secret, publicKey: publicBytesOf(keptPrivateKey(secret)) };
}

export function generateX25519(entropy: Entropy): X25519KeyPair {
  return x25519FromSecret(entropy.bytes(32));
}

/**
 * The shared secret, or undefined for a public key of small order, whose secret would be all zero.
 * @param secret whose bytes never change.
 */
export function x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  try {
    const peer = publicKeyOf('X25519', publicKey);
    return new Uint8Array(diffieHellman({ privateKey: keptPrivateKey(secret), publicKey: peer }));
  } catch {
    return undefined;
  }
}

function keptPrivateKey(secret: Uint8Array): KeyObject {
  const key = privateKeys.get(secret) ?? privateKeyOf('X25519', secret);
  privateKeys.set(secret, key);
  return key;
}
