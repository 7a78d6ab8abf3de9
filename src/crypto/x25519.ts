import { diffieHellman, type KeyObject } from 'node:crypto';
import type { Entropy } from '../ports.ts';
import { privateKeyOf, publicBytesOf, publicKeyOf } from './curve-key.ts';

/** Another party's key, as OpenSSL works with it. */
export type X25519Peer = KeyObject;

/** A Curve25519 key pair; both halves 32 bytes. It keeps OpenSSL's form, which costs as much to make as a key exchange. */
export class X25519KeyPair {
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly #key: KeyObject;

  constructor(secret: Uint8Array) {
    this.secret = secret;
    this.#key = privateKeyOf('X25519', secret);
    this.publicKey = publicBytesOf(this.#key);
  }

  /** The shared secret, or undefined for a public key of small order, whose secret would be all zero. */
  shared(peer: X25519Peer): Uint8Array | undefined {
    try {
      return new Uint8Array(diffieHellman({ privateKey: this.#key, publicKey: peer }));
    } catch {
      return undefined;
    }
  }
}

export function generateX25519(entropy: Entropy): X25519KeyPair {
  return new X25519KeyPair(entropy.bytes(32));
}

/** @param publicKey 32 bytes; any of them spell a key. */
export function x25519Peer(publicKey: Uint8Array): X25519Peer {
  return publicKeyOf('X25519', publicKey);
}
