import { type KeyObject, sign, verify } from 'node:crypto';
import { assert } from '../base/assert.ts';
import { privateKeyOf, publicBytesOf, publicKeyOf } from './curve-key.ts';

/** An Ed25519 key pair from its 32-byte seed. */
export class Ed25519Key {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly #key: KeyObject;

  constructor(seed: Uint8Array) {
    assert(seed.length === 32, 'an Ed25519 seed has 32 bytes');
    this.seed = seed;
    this.#key = privateKeyOf('Ed25519', seed);
    this.publicKey = publicBytesOf(this.#key);
  }

  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, message, this.#key));
  }
}

/** False for a wrong signature and for bytes that are no key. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(null, message, publicKeyOf('Ed25519', publicKey), signature);
  } catch {
    return false;
  }
}
