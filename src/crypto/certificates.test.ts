import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Entropy } from '../ports.ts';
import { Ed25519Key, ed25519Verify } from './ed25519.ts';
import {
  certType,
  encodeEd25519Cert,
  encodeRsaCrossCert,
  parseEd25519Cert,
  verifyEd25519Cert,
  verifyRsaCrossCert,
} from './ed25519-cert.ts';
import { decodeNodeKeys, encodeNodeKeys, generateNodeRsaKeys, makeNodeKeys } from './node-keys.ts';
import { encodeNtorCrossCert, verifyNtorCrossCert } from './ntor-cross-cert.ts';
import { generateRsaKey, rsaModulus, rsaVerifyDigest } from './rsa.ts';
import { parseRsaCertificate, selfSignedCertificate } from './x509.ts';
import { generateX25519 } from './x25519.ts';

const entropy: Entropy = { bytes: length => new Uint8Array(randomBytes(length)) };
const wallMs = 1_790_000_000_000;
const hour = 3_600_000;
const rsa = generateRsaKey(1024);
const signer = new Ed25519Key(entropy.bytes(32));
const code = (result: { ok: boolean; fault?: { code: string } }) => (result.ok ? 'ok' : result.fault?.code);

test('Ed25519 signs as RFC 8032, 7.1 (test 2) says', () => {
  const key = new Ed25519Key(
    Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex'),
  );
  expect(Buffer.from(key.publicKey).toString('hex')).toBe(
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  );
  expect(Buffer.from(key.sign(Uint8Array.of(0x72))).toString('hex')).toBe(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  );
});

test('an Ed25519 certificate holds for its type, signer and time alone', () => {
  const certified = entropy.bytes(32);
  const cert = encodeEd25519Cert({
    type: certType.identityToSigning,
    certified,
    signer,
    expiresMs: wallMs + hour,
    embedSigner: true,
  });
  const expected = { type: certType.identityToSigning, wallMs };
  expect(code(verifyEd25519Cert(cert, expected))).toBe('ok');
  expect(code(verifyEd25519Cert(cert, { ...expected, signer: certified }))).toBe('CERT_BAD_SIGNATURE');
  expect(code(verifyEd25519Cert(cert, { ...expected, type: certType.signingToTls }))).toBe('CERT_WRONG_TYPE');
  expect(code(verifyEd25519Cert(cert, { ...expected, wallMs: wallMs + 3 * hour }))).toBe('CERT_EXPIRED');
  const parsed = parseEd25519Cert(cert);
  expect(parsed.ok && parsed.value.signer).toEqual(signer.publicKey);
});

test('any changed byte of a certificate makes it worthless, and nothing throws', () => {
  const cert = encodeEd25519Cert({
    type: certType.signingToTls,
    certified: entropy.bytes(32),
    signer,
    expiresMs: wallMs + hour,
    embedSigner: false,
  });
  for (let at = 0; at < cert.length; at++) {
    const changed = cert.slice();
    changed[at] ^= 0x10;
    expect(
      code(verifyEd25519Cert(changed, { type: certType.signingToTls, signer: signer.publicKey, wallMs })),
    ).not.toBe('ok');
    expect(code(verifyEd25519Cert(cert.subarray(0, at), { type: certType.signingToTls, wallMs }))).not.toBe(
      'ok',
    );
  }
});

test('the RSA identity vouches for the Ed25519 identity', () => {
  const cert = encodeRsaCrossCert(rsa, signer.publicKey, wallMs + hour);
  expect(verifyRsaCrossCert(cert, rsa.publicDer, wallMs)).toEqual({ ok: true, value: signer.publicKey });
  expect(code(verifyRsaCrossCert(cert, generateRsaKey(1024).publicDer, wallMs))).toBe('CERT_BAD_SIGNATURE');
  expect(code(verifyRsaCrossCert(cert, rsa.publicDer, wallMs + 2 * hour))).toBe('CERT_EXPIRED');
  expect(code(verifyRsaCrossCert(cert.subarray(1), rsa.publicDer, wallMs))).not.toBe('ok');
});

test('the ntor key vouches for the identity, whichever its sign bit', () => {
  const seen = new Set<number>();
  for (let i = 0; i < 40 && seen.size < 2; i++) {
    const onionKey = generateX25519(entropy);
    const { cert, signBit } = encodeNtorCrossCert(onionKey, signer.publicKey, wallMs + hour);
    seen.add(signBit);
    const verified = verifyNtorCrossCert(cert, onionKey.publicKey, signBit, wallMs);
    expect(verified.ok && verified.value.certifiedKey).toEqual(signer.publicKey);
    const other: 0 | 1 = signBit === 0 ? 1 : 0;
    expect(code(verifyNtorCrossCert(cert, onionKey.publicKey, other, wallMs))).toBe('CERT_BAD_SIGNATURE');
  }
  expect(seen.size).toBe(2);
});

test('RSA signs the bare digest', () => {
  const digest = createHash('sha1').update('tor').digest();
  const signature = rsa.signDigest(digest);
  expect(signature).toHaveLength(128);
  expect(rsaVerifyDigest(rsa.publicDer, digest, signature)).toBe(true);
  expect(rsaVerifyDigest(rsa.publicDer, digest.subarray(1), signature)).toBe(false);
  expect(rsaVerifyDigest(entropy.bytes(140), digest, signature)).toBe(false);
  expect(rsaModulus(rsa.publicDer)?.bits).toBe(1024);
});

test('OpenSSL reads our X.509 certificates, whatever the year', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4_000_000_000 }),
      fc.uint8Array({ minLength: 1, maxLength: 19 }),
      (second, serial) => {
        const der = selfSignedCertificate({
          key: rsa,
          commonName: 'www.example.net',
          notBeforeMs: second * 1000,
          notAfterMs: (second + 86_400) * 1000,
          serial,
        });
        const parsed = parseRsaCertificate(der);
        const openssl = new X509Certificate(der);
        expect(openssl.subject).toBe('CN=www.example.net');
        expect(new Date(openssl.validFrom).getTime()).toBe(second * 1000);
        expect(parsed).toEqual({
          publicDer: rsa.publicDer,
          notBeforeMs: second * 1000,
          notAfterMs: (second + 86_400) * 1000,
          selfSigned: true,
        });
      },
    ),
    { numRuns: 60 },
  );
  expect(parseRsaCertificate(entropy.bytes(300))).toBeUndefined();
});

test('node keys survive their file, and a broken file names the field', () => {
  const keys = makeNodeKeys(entropy, generateNodeRsaKeys());
  const text = encodeNodeKeys(keys);
  const read = decodeNodeKeys(text);
  expect(read.ok && encodeNodeKeys(read.value)).toBe(text);
  expect(decodeNodeKeys(text.replace('"ntor"', '"other"'))).toEqual({
    ok: false,
    fault: { code: 'KEYS_MALFORMED', detail: 'ntor' },
  });
  expect(code(decodeNodeKeys('{'))).toBe('KEYS_MALFORMED');
  expect(ed25519Verify(new Uint8Array(32), new Uint8Array(1), new Uint8Array(64))).toBe(false);
});
