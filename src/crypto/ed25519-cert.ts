import { ByteReader, ByteWriter, concatBytes, utf8 } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import { type Ed25519Key, ed25519Verify } from './ed25519.ts';
import { type RsaKey, rsaVerifyDigest } from './rsa.ts';
import { sha256 } from './sha.ts';

/** What a certificate vouches for. spec: cert-spec (certificate types) */
export const certType = {
  rsaLink: 1,
  rsaIdentity: 2,
  identityToSigning: 4,
  signingToTls: 5,
  signingToLinkAuth: 6,
  rsaToIdentity: 7,
  ntorOnionKey: 10,
  family: 12,
} as const;

/** Key types inside a certificate. */
const keyType = { ed25519: 1, sha256OfX509: 3 } as const;
const signerExtension = 4;
const msPerHour = 3_600_000;
const extensionsMax = 32;

export type CertFault =
  | 'CERT_MALFORMED'
  | 'CERT_EXPIRED'
  | 'CERT_BAD_SIGNATURE'
  | 'CERT_WRONG_TYPE'
  | 'CERT_UNKNOWN_EXTENSION';

/** A Tor Ed25519 certificate. spec: cert-spec (Ed25519 certificates) */
export interface Ed25519Cert {
  readonly type: number;
  readonly expiresHours: number;
  readonly certifiedKeyType: number;
  /** The key, or digest, that is certified: 32 bytes. */
  readonly certifiedKey: Uint8Array;
  /** The signer's key where the certificate carries it. */
  readonly signer: Uint8Array | undefined;
  readonly signature: Uint8Array;
  /** All bytes before the signature. */
  readonly signedBytes: Uint8Array;
}

export interface CertOrder {
  readonly type: number;
  readonly certified: Uint8Array;
  readonly signer: Ed25519Key;
  readonly expiresMs: number;
  /** Carry the signer's key in extension 4, for those who do not know it yet. */
  readonly embedSigner: boolean;
}

export function encodeEd25519Cert(order: CertOrder): Uint8Array {
  const certifiedType = order.type === certType.signingToTls ? keyType.sha256OfX509 : keyType.ed25519;
  const writer = new ByteWriter()
    .u8(1)
    .u8(order.type)
    .u32(hoursUp(order.expiresMs))
    .u8(certifiedType)
    .bytes(order.certified);
  if (order.embedSigner) writer.u8(1).u16(32).u8(signerExtension).u8(0).bytes(order.signer.publicKey);
  else writer.u8(0);
  const signed = writer.finish();
  return concatBytes(signed, order.signer.sign(signed));
}

/** Takes the certificate apart; says nothing yet of its signature or its time. */
export function parseEd25519Cert(bytes: Uint8Array): Result<Ed25519Cert, { code: CertFault }> {
  if (bytes.length < 104) return fail('CERT_MALFORMED');
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  const type = reader.u8();
  const expiresHours = reader.u32();
  const certifiedKeyType = reader.u8();
  const certifiedKey = reader.bytes(32).slice();
  const extensions = reader.u8();
  let signer: Uint8Array | undefined;
  if (version !== 1 || extensions > extensionsMax) return fail('CERT_MALFORMED');
  for (let i = 0; i < extensions; i++) {
    const length = reader.u16();
    const kind = reader.u8();
    const flags = reader.u8();
    const data = reader.bytes(length);
    if (reader.short) return fail('CERT_MALFORMED');
    if (kind === signerExtension) {
      if (length !== 32 || signer !== undefined) return fail('CERT_MALFORMED');
      signer = data.slice();
    } else if ((flags & 1) !== 0) return fail('CERT_UNKNOWN_EXTENSION'); // spec: cert-spec (AFFECTS_VALIDATION)
  }
  const signedBytes = bytes.slice(0, reader.offset);
  const signature = reader.bytes(64).slice();
  if (!reader.exhausted) return fail('CERT_MALFORMED');
  return ok({ type, expiresHours, certifiedKeyType, certifiedKey, signer, signature, signedBytes });
}

/**
 * Checks type, time and signature.
 * @param signer the key that must have signed; absent: the one the certificate carries.
 */
export function verifyEd25519Cert(
  bytes: Uint8Array,
  expect: { readonly type: number; readonly signer?: Uint8Array; readonly wallMs: number },
): Result<Ed25519Cert, { code: CertFault }> {
  const parsed = parseEd25519Cert(bytes);
  if (!parsed.ok) return parsed;
  const cert = parsed.value;
  const signer = expect.signer ?? cert.signer;
  const wantedKeyType = expect.type === certType.signingToTls ? keyType.sha256OfX509 : keyType.ed25519;
  if (cert.type !== expect.type || cert.certifiedKeyType !== wantedKeyType) return fail('CERT_WRONG_TYPE');
  if (cert.expiresHours * msPerHour <= expect.wallMs) return fail('CERT_EXPIRED');
  if (signer === undefined) return fail('CERT_MALFORMED');
  return ed25519Verify(signer, cert.signedBytes, cert.signature) ? parsed : fail('CERT_BAD_SIGNATURE');
}

const crossCertPrefix = utf8('Tor TLS RSA/Ed25519 cross-certificate');

/** The RSA identity vouches for the Ed25519 one: certificate type 7. spec: cert-spec (RSA->Ed25519 cross-certificate) */
export function encodeRsaCrossCert(rsa: RsaKey, ed25519: Uint8Array, expiresMs: number): Uint8Array {
  const signed = new ByteWriter().bytes(ed25519).u32(hoursUp(expiresMs)).finish();
  const signature = rsa.signDigest(sha256(crossCertPrefix, signed));
  return new ByteWriter().bytes(signed).u8(signature.length).bytes(signature).finish();
}

/** The Ed25519 identity that the RSA key vouches for. */
export function verifyRsaCrossCert(
  bytes: Uint8Array,
  rsaPublicDer: Uint8Array,
  wallMs: number,
): Result<Uint8Array, { code: CertFault }> {
  const reader = new ByteReader(bytes);
  const ed25519 = reader.bytes(32).slice();
  const expiresHours = reader.u32();
  const signature = reader.bytes(reader.u8());
  if (!reader.exhausted) return fail('CERT_MALFORMED');
  if (expiresHours * msPerHour <= wallMs) return fail('CERT_EXPIRED');
  const digest = sha256(crossCertPrefix, bytes.subarray(0, 36));
  return rsaVerifyDigest(rsaPublicDer, digest, signature) ? ok(ed25519) : fail('CERT_BAD_SIGNATURE');
}

function hoursUp(ms: number): number {
  return Math.ceil(ms / msPerHour);
}
