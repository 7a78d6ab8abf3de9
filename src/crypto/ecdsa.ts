import secp256k1 from 'secp256k1';
import { assert } from '../base/assert.ts';
import type { Entropy } from '../ports.ts';

/** A secp256k1 key that signs: the secret has 32 bytes, the public key 33 (compressed). */
export class SigningKey {
  readonly secret: Uint8Array;
  #publicKey: Uint8Array | undefined;

  constructor(secret: Uint8Array) {
    assert(secp256k1.privateKeyVerify(secret), 'a secret within the order of the curve');
    this.secret = secret;
  }

  /** Derived when it is first asked for, which costs as much as half a signature: the key of many a coin signs once and is gone. */
  get publicKey(): Uint8Array {
    this.#publicKey ??= secp256k1.publicKeyCreate(this.secret, true);
    return this.#publicKey;
  }

  static fresh(entropy: Entropy): SigningKey {
    for (;;) {
      const secret = entropy.bytes(32);
      if (secp256k1.privateKeyVerify(secret)) return new SigningKey(secret);
    }
  }

  /** The key whose public key `tweakedPublicKey` gives; undefined for one tweak in 2^128. */
  tweaked(tweak: Uint8Array): SigningKey | undefined {
    try {
      return new SigningKey(secp256k1.privateKeyTweakAdd(this.secret.slice(), tweak));
    } catch {
      return undefined;
    }
  }

  /** Of a 32-byte digest: 64 bytes. */
  sign(digest: Uint8Array): Uint8Array {
    return signDigest(this.secret, digest);
  }
}

/** True for 33 bytes that spell a point of the curve. */
export function isPublicKey(bytes: Uint8Array): boolean {
  return bytes.length === 33 && secp256k1.publicKeyVerify(bytes);
}

/** A key that nobody can tell from any other without the tweak, 32 bytes. Undefined for what is no key, and one tweak in 2^128. */
export function tweakedPublicKey(publicKey: Uint8Array, tweak: Uint8Array): Uint8Array | undefined {
  try {
    return secp256k1.publicKeyTweakAdd(publicKey, tweak, true);
  } catch {
    return undefined;
  }
}

/** ECDSA over a 32-byte digest: 64 bytes compact, low S, nonce of RFC 6979. Native code: the payment hot path. */
export function signDigest(secret: Uint8Array, digest: Uint8Array): Uint8Array {
  return secp256k1.ecdsaSign(digest, secret).signature;
}

/**
 * Both coordinates, 65 bytes: to verify with them saves a square root each time, a tenth of the whole. Bytes that are no
 * point stay as they are.
 */
export function unpackPublicKey(publicKey: Uint8Array): Uint8Array {
  return isPublicKey(publicKey) ? secp256k1.publicKeyConvert(publicKey, false) : publicKey;
}

/**
 * False for anything but a valid low-S signature, whatever the bytes are. The key has 33 bytes, or 65 when it is used
 * often (unpackPublicKey). spec: bip-0146 (LOW_S)
 */
export function verifyDigest(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || (publicKey.length !== 33 && publicKey.length !== 65)) return false;
  try {
    return secp256k1.ecdsaVerify(signature, digest, publicKey);
  } catch {
    // The binding throws for numbers beyond the curve's order and for bytes that are no point.
    return false;
  }
}

/** 32 bytes that the holders of two keys both come to, and nobody else. @param publicKey 33 bytes that spell a point. */
export function sharedSecret(secret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return secp256k1.ecdh(publicKey, secret);
}
