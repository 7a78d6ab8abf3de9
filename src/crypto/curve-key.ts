import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

/**
 * Keys of both curves between their 32 bytes and what OpenSSL works with. By way of JWK (RFC 8037), since OpenSSL takes ten
 * times as long to find out what a DER encoding holds as the key exchange itself.
 */
export type Curve = 'X25519' | 'Ed25519';

const encoded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** Throws for anything but 32 bytes. */
export function privateKeyOf(curve: Curve, secret: Uint8Array): KeyObject {
  // The public half must be there, and is made from the secret all the same.
  const key = { kty: 'OKP', crv: curve, d: encoded(secret), x: '' };
  return createPrivateKey({ key, format: 'jwk' });
}

/** Throws for anything but 32 bytes. */
export function publicKeyOf(curve: Curve, publicKey: Uint8Array): KeyObject {
  const key = { kty: 'OKP', crv: curve, x: encoded(publicKey) };
  return createPublicKey({ key, format: 'jwk' });
}

/** The 32 bytes of a private key's public half. */
export function publicBytesOf(privateKey: KeyObject): Uint8Array {
  const { x } = privateKey.export({ format: 'jwk' });
  return new Uint8Array(Buffer.from(x as string, 'base64url'));
}
