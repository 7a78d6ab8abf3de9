import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { concatBytes } from '../base/bytes.ts';
import type { Entropy } from '../ports.ts';

const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex');

/** A Curve25519 key pair; both halves 32 bytes. */
export interface X25519KeyPair {
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
}

export function x25519FromSecret(secret: Uint8Array): X25519KeyPair {
  const der = createPublicKey(privateKeyOf(secret)).export({ type: 'spki', format: 'der' });
  return { secret, publicKey: new Uint8Array(der.subarray(publicPrefix.length)) };
}

export function generateX25519(entropy: Entropy): X25519KeyPair {
  return x25519FromSecret(entropy.bytes(32));
}

/** The shared secret, or undefined for a public key of small order, whose secret would be all zero. */
export function x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  try {
    const der = concatBytes(publicPrefix, publicKey) as Buffer;
    const peer = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    return new Uint8Array(diffieHellman({ privateKey: privateKeyOf(secret), publicKey: peer }));
  } catch {
    return undefined;
  }
}

function privateKeyOf(secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([privatePrefix, secret]), format: 'der', type: 'pkcs8' });
}
