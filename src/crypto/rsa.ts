import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  sign,
} from 'node:crypto';
import { equalBytes } from '../base/bytes.ts';
import { sha1 } from './sha.ts';

/**
 * RSA as Tor uses it: PKCS#1 public keys, fingerprints by SHA-1, and signatures with PKCS#1 type 1 padding over the bare
 * digest, without a DigestInfo. spec: tor-spec/preliminaries (ciphers)
 */
export class RsaKey {
  readonly pem: string;
  /** PKCS#1 DER of the public key. */
  readonly publicDer: Uint8Array;
  /** SHA-1 of publicDer, 20 bytes. */
  readonly fingerprint: Uint8Array;
  /** The public key as certificates hold it, DER (RFC 5280, SubjectPublicKeyInfo). */
  readonly spkiDer: Uint8Array;
  readonly #key: KeyObject;

  /** @param pem PKCS#8. */
  constructor(pem: string) {
    this.pem = pem;
    this.#key = createPrivateKey(pem);
    const publicKey = createPublicKey(this.#key);
    this.publicDer = new Uint8Array(publicKey.export({ type: 'pkcs1', format: 'der' }));
    this.spkiDer = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
    this.fingerprint = sha1(this.publicDer);
  }

  /** sha256WithRSAEncryption, as certificates are signed. spec: RFC 8017, 8.2 */
  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign('sha256', message, this.#key));
  }

  signDigest(digest: Uint8Array): Uint8Array {
    return new Uint8Array(privateEncrypt({ key: this.#key, padding: constants.RSA_PKCS1_PADDING }, digest));
  }
}

/** Cannot be seeded: a simulated world takes its RSA keys from fixtures. */
export function generateRsaKey(bits: 1024 | 2048 | 3072): RsaKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  return new RsaKey(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
}

/** False for a wrong signature and for bytes that are no key. `digest` may be a prefix of what was signed, as in certificates. */
export function rsaVerifyDigest(publicDer: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicDer), format: 'der', type: 'pkcs1' });
    const signed = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
    return equalBytes(signed, digest);
  } catch {
    return false;
  }
}

/** Size of a public key's modulus in bits, and the modulus; undefined for bytes that are no RSA key. */
export function rsaModulus(
  publicDer: Uint8Array,
): { readonly bits: number; readonly modulus: Uint8Array } | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(publicDer), format: 'der', type: 'pkcs1' });
    const { n } = key.export({ format: 'jwk' });
    if (n === undefined) return undefined;
    const modulus = new Uint8Array(Buffer.from(n, 'base64url'));
    return { bits: modulus.length * 8 - Math.clz32(modulus[0]) + 24, modulus };
  } catch {
    return undefined;
  }
}
