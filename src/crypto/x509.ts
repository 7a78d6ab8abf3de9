import { X509Certificate } from 'node:crypto';
import { concatBytes, utf8 } from '../base/bytes.ts';
import { calendarTime, monthNames, twoDigits, wallMsOf } from '../base/calendar.ts';
import type { RsaKey } from './rsa.ts';

/** A self-signed RSA certificate: Tor checks its key and its time alone, so it has no extensions. */
export interface CertificateOrder {
  /** Signs, and is what the certificate is of. */
  readonly key: RsaKey;
  readonly commonName: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Up to 19 bytes, read as a positive number. */
  readonly serial: Uint8Array;
}

/** DER of the certificate: version 1, sha256WithRSAEncryption (RFC 5280). */
export function selfSignedCertificate(order: CertificateOrder): Uint8Array {
  const { key } = order;
  const name = sequence(set(sequence(commonNameOid, element(tag.utf8String, utf8(order.commonName)))));
  const validity = sequence(time(order.notBeforeMs), time(order.notAfterMs));
  const body = sequence(integer(order.serial), sha256WithRsa, name, validity, name, key.spkiDer);
  return sequence(body, sha256WithRsa, element(tag.bitString, concatBytes(Uint8Array.of(0), key.sign(body))));
}

/** What a certificate says of its key; undefined for bytes that are no certificate with an RSA key. */
export interface RsaCertificate {
  /** PKCS#1 DER. */
  readonly publicDer: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly selfSigned: boolean;
}

export function parseRsaCertificate(der: Uint8Array): RsaCertificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    // OpenSSL reads over bytes behind the certificate.
    if (certificate.raw.length !== der.length) return undefined;
    const key = certificate.publicKey;
    const notBeforeMs = parseOpensslTime(certificate.validFrom);
    const notAfterMs = parseOpensslTime(certificate.validTo);
    if (key.asymmetricKeyType !== 'rsa' || notBeforeMs === undefined || notAfterMs === undefined)
      return undefined;
    return {
      publicDer: new Uint8Array(key.export({ type: 'pkcs1', format: 'der' })),
      notBeforeMs,
      notAfterMs,
      selfSigned: certificate.verify(key),
    };
  } catch {
    return undefined;
  }
}

/** OpenSSL prints 'Nov  1 00:00:00 2026 GMT'. */
function parseOpensslTime(text: string): number | undefined {
  const match = /^(\w{3}) +(\d+) (\d+):(\d+):(\d+) (\d+) GMT$/.exec(text);
  if (match === null) return undefined;
  const [day, hour, minute, second, year] = match.slice(2).map(Number);
  return wallMsOf({ year, month: monthNames.indexOf(match[1]) + 1, day, hour, minute, second });
}

/** 'YYYYMMDDHHMMSSZ' of a time in ms since 1970. */
function generalizedTime(ms: number): string {
  const { year, month, day, hour, minute, second } = calendarTime(ms);
  return `${year}${[month, day, hour, minute, second].map(twoDigits).join('')}Z`;
}

const tag = {
  integer: 0x02,
  bitString: 0x03,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
};

function element(kind: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  if (length < 128) return concatBytes(Uint8Array.of(kind, length), content);
  if (length < 256) return concatBytes(Uint8Array.of(kind, 0x81, length), content);
  return concatBytes(Uint8Array.of(kind, 0x82, length >>> 8, length & 0xff), content);
}

const sequence = (...parts: readonly Uint8Array[]) => element(tag.sequence, concatBytes(...parts));
const set = (...parts: readonly Uint8Array[]) => element(tag.set, concatBytes(...parts));
const oid = (...encoded: readonly number[]) => element(tag.oid, Uint8Array.from(encoded));

const commonNameOid = oid(0x55, 0x04, 0x03);
const sha256WithRsa = sequence(
  oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b),
  element(tag.null, new Uint8Array(0)),
);

/** A leading zero byte keeps the number positive and the encoding minimal for any serial. */
function integer(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const digits = bytes.subarray(start);
  return element(tag.integer, digits[0] >= 0x80 ? concatBytes(Uint8Array.of(0), digits) : digits);
}

/** UTCTime until 2049, GeneralizedTime from then on. spec: RFC 5280, 4.1.2.5 */
function time(ms: number): Uint8Array {
  const text = generalizedTime(ms);
  return text < '2050' ? element(tag.utcTime, utf8(text.slice(2))) : element(tag.generalizedTime, utf8(text));
}
