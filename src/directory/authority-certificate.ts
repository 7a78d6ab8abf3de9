import { equalBytes, toHex } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { type RsaKey, rsaModulus, rsaVerifyDigest } from '../crypto/rsa.ts';
import { sha1 } from '../crypto/sha.ts';
import { formatDocumentTime, parseDocumentTime } from './calendar.ts';
import {
  argumentsOf,
  type DocumentFault,
  documentBytes,
  formatObject,
  LineIndex,
  parseLines,
} from './document-lines.ts';
import { parseIpv4Endpoint } from './endpoint-text.ts';

/**
 * An authority's v3 certificate: its long-term identity key vouches for the signing key of its consensuses.
 * spec: dir-spec/creating-key-certificates
 */
export interface AuthorityCertificate {
  /** SHA-1 of the identity key, 20 bytes. */
  readonly v3Ident: Uint8Array;
  /** PKCS#1 DER. */
  readonly identityKey: Uint8Array;
  readonly signingKey: Uint8Array;
  readonly signingKeyDigest: Uint8Array;
  readonly publishedMs: number;
  readonly expiresMs: number;
  readonly text: string;
}

export type CertificateFault = DocumentFault | Fault<'CERTIFICATE_BAD' | 'CERTIFICATE_BAD_SIGNATURE'>;

const certificateBytesMax = 16_384;

export function buildAuthorityCertificate(
  identity: RsaKey,
  signing: RsaKey,
  facts: { readonly publishedMs: number; readonly expiresMs: number; readonly dirAddress?: string },
): string {
  const crosscert = signing.signDigest(identity.fingerprint);
  const text = [
    'dir-key-certificate-version 3\n',
    facts.dirAddress === undefined ? '' : `dir-address ${facts.dirAddress}\n`,
    `fingerprint ${toHex(identity.fingerprint).toUpperCase()}\n`,
    `dir-key-published ${formatDocumentTime(facts.publishedMs)}\n`,
    `dir-key-expires ${formatDocumentTime(facts.expiresMs)}\n`,
    `dir-identity-key\n${formatObject('RSA PUBLIC KEY', identity.publicDer)}`,
    `dir-signing-key\n${formatObject('RSA PUBLIC KEY', signing.publicDer)}`,
    `dir-key-crosscert\n${formatObject('ID SIGNATURE', crosscert)}`,
    'dir-key-certification\n',
  ].join('');
  const signature = identity.signDigest(sha1(documentBytes(text)));
  return text + formatObject('SIGNATURE', signature);
}

/** Parses and verifies both signatures; says nothing of times, nor whether the identity is trusted. */
export function parseAuthorityCertificate(text: string): Result<AuthorityCertificate, CertificateFault> {
  const lines = parseLines(text, certificateBytesMax);
  if (!lines.ok) return lines;
  const bad = (detail: string) => fail('CERTIFICATE_BAD', detail);
  const index = new LineIndex(lines.value);
  const [first] = lines.value;
  if (first?.keyword !== 'dir-key-certificate-version' || argumentsOf(first)[0] !== '3')
    return bad('dir-key-certificate-version');
  const dirAddress = index.one('dir-address');
  if (dirAddress !== undefined && parseIpv4Endpoint(argumentsOf(dirAddress)[0] ?? '') === undefined)
    return bad('dir-address');
  const last = lines.value.at(-1);
  if (last?.keyword !== 'dir-key-certification') return bad('dir-key-certification comes last');
  const identityKey = keyOf(index, 'dir-identity-key', 2048);
  const signingKey = keyOf(index, 'dir-signing-key', 1024);
  if (identityKey === undefined) return bad('dir-identity-key');
  if (signingKey === undefined) return bad('dir-signing-key');
  const publishedMs = parseDocumentTime(index.one('dir-key-published')?.rest ?? '');
  const expiresMs = parseDocumentTime(index.one('dir-key-expires')?.rest ?? '');
  if (publishedMs === undefined) return bad('dir-key-published');
  if (expiresMs === undefined) return bad('dir-key-expires');
  const v3Ident = sha1(identityKey);
  if (index.one('fingerprint')?.rest.toUpperCase() !== toHex(v3Ident).toUpperCase())
    return bad('fingerprint');
  const crosscert = index.one('dir-key-crosscert')?.object;
  const certification = index.one('dir-key-certification')?.object;
  if (crosscert === undefined) return bad('dir-key-crosscert');
  if (certification === undefined) return bad('dir-key-certification');
  const signed = documentBytes(text.slice(0, last.lineEnd));
  if (!rsaVerifyDigest(signingKey, v3Ident, crosscert.bytes))
    return fail('CERTIFICATE_BAD_SIGNATURE', 'dir-key-crosscert');
  if (!rsaVerifyDigest(identityKey, sha1(signed), certification.bytes))
    return fail('CERTIFICATE_BAD_SIGNATURE', 'dir-key-certification');
  const signingKeyDigest = sha1(signingKey);
  return ok({ v3Ident, identityKey, signingKey, signingKeyDigest, publishedMs, expiresMs, text });
}

function keyOf(index: LineIndex, keyword: string, bitsMin: number): Uint8Array | undefined {
  const object = index.one(keyword)?.object;
  if (object?.label !== 'RSA PUBLIC KEY') return undefined;
  const bits = rsaModulus(object.bytes)?.bits ?? 0;
  return bits >= bitsMin && bits <= 4096 ? object.bytes : undefined;
}

/** Cuts the answer to `/tor/keys/…`, in which certificates follow each other. */
export function splitCertificates(text: string, countMax: number): string[] {
  const head = 'dir-key-certificate-version ';
  const starts: number[] = [];
  if (text.startsWith(head)) starts.push(0);
  for (
    let at = text.indexOf(`\n${head}`);
    at >= 0 && starts.length <= countMax;
    at = text.indexOf(`\n${head}`, at + 1)
  )
    starts.push(at + 1);
  return starts.slice(0, countMax).map((start, i) => text.slice(start, starts[i + 1] ?? text.length));
}

/** The certificate whose signing key made a signature, if any is at hand. */
export function findCertificate(
  certificates: readonly AuthorityCertificate[],
  v3Ident: Uint8Array,
  signingKeyDigest: Uint8Array,
): AuthorityCertificate | undefined {
  return certificates.find(
    each => equalBytes(each.v3Ident, v3Ident) && equalBytes(each.signingKeyDigest, signingKeyDigest),
  );
}
