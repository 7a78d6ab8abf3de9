import { createHash } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { ByteWriter, concatBytes } from '../base/bytes.ts';
import type { Result } from '../base/fault.ts';
import { type CertFault, certType, type Ed25519Cert, verifyEd25519Cert } from './ed25519-cert.ts';
import type { X25519KeyPair } from './x25519.ts';

/**
 * The ntor onion key vouches for the Ed25519 identity: the certificate is signed by the Ed25519 key with the same secret
 * scalar as the Curve25519 key. OpenSSL cannot sign with a bare scalar, so @noble/curves does. spec: dir-spec
 * (ntor-onion-key-crosscert), prop228 appendix A
 */
export function encodeNtorCrossCert(
  onionKey: X25519KeyPair,
  identity: Uint8Array,
  expiresMs: number,
): { readonly cert: Uint8Array; readonly signBit: 0 | 1 } {
  const { Point } = ed25519;
  const scalar = scalarOf(onionKey.secret);
  const publicKey = Point.BASE.multiply(scalar).toBytes();
  const hours = Math.ceil(expiresMs / 3_600_000);
  const signed = new ByteWriter()
    .u8(1)
    .u8(certType.ntorOnionKey)
    .u32(hours)
    .u8(1)
    .bytes(identity)
    .u8(0)
    .finish();
  // The nonce prefix may be any secret that only this key's owner knows; RFC 8032 takes half a hash, so do we.
  const prefix = sha512(onionKey.secret, Uint8Array.of(certType.ntorOnionKey)).subarray(32);
  const nonce = reduced(sha512(prefix, signed));
  const commitment = Point.BASE.multiply(nonce).toBytes();
  const challenge = reduced(sha512(commitment, publicKey, signed));
  const proof = Point.Fn.toBytes(Point.Fn.create(nonce + challenge * scalar));
  return { cert: concatBytes(signed, commitment, proof), signBit: (publicKey[31] >> 7) as 0 | 1 };
}

/** The certificate, if the onion key with this sign bit signed it; its certifiedKey is the identity vouched for. */
export function verifyNtorCrossCert(
  bytes: Uint8Array,
  onionPublicKey: Uint8Array,
  signBit: 0 | 1,
  wallMs: number,
): Result<Ed25519Cert, { code: CertFault }> {
  const signer = edwardsOf(onionPublicKey, signBit);
  return verifyEd25519Cert(bytes, { type: certType.ntorOnionKey, signer, wallMs });
}

/** y = (u - 1) / (u + 1), with the sign bit on top; a key that has no such point verifies nothing. */
function edwardsOf(montgomery: Uint8Array, signBit: 0 | 1): Uint8Array {
  const { Fp } = ed25519.Point;
  const u = Fp.create(littleEndian(montgomery) & ((1n << 255n) - 1n));
  const below = Fp.add(u, Fp.ONE);
  if (Fp.is0(below)) return new Uint8Array(32);
  const y = Fp.toBytes(Fp.mul(Fp.sub(u, Fp.ONE), Fp.inv(below)));
  y[31] |= signBit << 7;
  return y;
}

/** spec: RFC 7748, 5 (decodeScalar25519) */
function scalarOf(secret: Uint8Array): bigint {
  const clamped = secret.slice();
  clamped[0] &= 248;
  clamped[31] = (clamped[31] & 127) | 64;
  return littleEndian(clamped) % ed25519.Point.Fn.ORDER;
}

function reduced(digest: Uint8Array): bigint {
  return littleEndian(digest) % ed25519.Point.Fn.ORDER;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
  return value;
}

function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
