import { createCipheriv, createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromBase64, fromHex, toHex } from '../base/bytes.ts';
import { ok } from '../base/fault.ts';
import type { Entropy } from '../ports.ts';
import { AesCtr } from './aes-ctr.ts';
import { circuitKeysOf, createFastKeys } from './circuit-keys.ts';
import { certType, verifyEd25519Cert, verifyRsaCrossCert } from './ed25519-cert.ts';
import { ntorClientFinish, ntorClientRequest, ntorClientStart, ntorServer } from './ntor.ts';
import { verifyNtorCrossCert } from './ntor-cross-cert.ts';
import { ntorV3ClientFinish, ntorV3ClientStart, ntorV3Server } from './ntor-v3.ts';
import {
  ntorCrossCertificates,
  ntorHandshakes,
  ntorV3Handshake,
  torCertificates,
} from './vectors/published.ts';
import { X25519KeyPair } from './x25519.ts';

const hex = (text: string) => fromHex(text) ?? new Uint8Array(0);
/** Entropy that has been drawn already. */
const fixed = (bytes: string): Entropy => ({ bytes: () => hex(bytes) });

test.each(ntorHandshakes)('ntor answers $clientKey as other implementations do', vector => {
  const onionKey = new X25519KeyPair(hex(vector.onionSecret));
  expect(toHex(onionKey.publicKey)).toBe(vector.onionKey);
  const relayId = hex(vector.relayId);
  const state = ntorClientStart(fixed(vector.clientSecret), relayId, onionKey.publicKey);
  const request = ntorClientRequest(state);
  expect(toHex(request)).toBe(vector.relayId + vector.onionKey + vector.clientKey);
  const served = ntorServer(fixed(vector.relaySecret), relayId, [onionKey], request);
  const keys = circuitKeysOf(hex(vector.material));
  expect(served).toEqual({ ok: true, value: { reply: hex(vector.reply), keys } });
  expect(ntorClientFinish(state, hex(vector.reply))).toEqual({ ok: true, value: keys });
});

test('ntor-v3 answers as other implementations do', () => {
  const vector = ntorV3Handshake;
  const verification = hex(vector.verification);
  const onionKey = new X25519KeyPair(hex(vector.onionSecret));
  expect(toHex(onionKey.publicKey)).toBe(vector.onionKey);
  const identity = hex(vector.relayId);
  const started = ntorV3ClientStart(
    fixed(vector.clientSecret),
    { identity, onionKey: onionKey.publicKey },
    hex(vector.clientMessage),
    verification,
  );
  if (!started.ok) throw new Error(started.fault.code);
  expect(toHex(started.value.request)).toBe(vector.request);
  const heard: string[] = [];
  const served = ntorV3Server(
    fixed(vector.relaySecret),
    { identity, onionKeys: [onionKey] },
    hex(vector.request),
    message => {
      heard.push(toHex(message));
      return ok(hex(vector.relayMessage));
    },
    verification,
  );
  const keys = circuitKeysOf(hex(vector.material));
  expect(heard).toEqual([vector.clientMessage]);
  expect(served).toEqual({ ok: true, value: { reply: hex(vector.reply), keys } });
  const finished = ntorV3ClientFinish(started.value, hex(vector.reply));
  expect(finished).toEqual({ ok: true, value: { keys, message: hex(vector.relayMessage) } });
});

test('certificates of a C tor relay hold, until they expire', () => {
  const { wallMs, signingExpiresMs, ...tor } = torCertificates;
  const type = certType.identityToSigning;
  const signing = verifyEd25519Cert(hex(tor.identityToSigning), { type, wallMs });
  expect(signing.ok && [toHex(signing.value.certifiedKey), toHex(signing.value.signer ?? hex(''))]).toEqual([
    tor.signingKey,
    tor.identity,
  ]);
  const late = verifyEd25519Cert(hex(tor.identityToSigning), { type, wallMs: signingExpiresMs });
  expect(late).toEqual({ ok: false, fault: { code: 'CERT_EXPIRED' } });
  const tls = verifyEd25519Cert(hex(tor.signingToTls), {
    type: certType.signingToTls,
    signer: hex(tor.signingKey),
    wallMs,
  });
  expect(tls.ok && toHex(tls.value.certifiedKey)).toBe(tor.tlsDigest);
  const cross = verifyRsaCrossCert(hex(tor.rsaToIdentity), hex(tor.rsaPublicDer), wallMs);
  expect(cross.ok && toHex(cross.value)).toBe(tor.identity);
});

test('malformed twins of them are refused for what is wrong', () => {
  const { wallMs, identityToSigning } = torCertificates;
  const faultOf = (text: string) => {
    const verified = verifyEd25519Cert(hex(text), { type: certType.identityToSigning, wallMs });
    return verified.ok ? 'ok' : verified.fault.code;
  };
  const extension = identityToSigning.indexOf('00200400');
  const changed = (fields: string) =>
    identityToSigning.slice(0, extension) + fields + identityToSigning.slice(extension + 8);
  expect(faultOf(`03${identityToSigning.slice(2)}`)).toBe('CERT_MALFORMED');
  expect(faultOf(changed('00210400'))).toBe('CERT_MALFORMED');
  expect(faultOf(changed('00200901'))).toBe('CERT_UNKNOWN_EXTENSION');
  expect(faultOf(changed('00200900'))).toBe('CERT_MALFORMED');
  expect(faultOf(`${identityToSigning}00`)).toBe('CERT_MALFORMED');
});

test.each(ntorCrossCertificates)(
  'the ntor key of a public relay vouches for it, sign bit $signBit',
  vector => {
    const [onionKey, cert] = [fromBase64(vector.onionKey), fromBase64(vector.cert)];
    const wallMs = Date.UTC(2019, 0, 1);
    const verified = verifyNtorCrossCert(cert ?? hex(''), onionKey ?? hex(''), vector.signBit, wallMs);
    expect(verified).toMatchObject({ ok: true, value: { signer: undefined } });
    expect(verified.ok && toHex(verified.value.certifiedKey)).toBe(toHex((cert ?? hex('')).subarray(7, 39)));
  },
);

test('CREATE_FAST derives as KDF-TOR says', () => {
  const [x, y] = [hex('11'.repeat(20)), hex('22'.repeat(20))];
  const block = (i: number) => createHash('sha1').update(x).update(y).update(Uint8Array.of(i)).digest('hex');
  const { keys, verify } = createFastKeys(x, y);
  const all =
    verify.length + Object.values(keys).reduce((sum: number, key: Uint8Array) => sum + key.length, 0);
  expect(all).toBe(92);
  const { forwardDigest, backwardDigest, forwardKey, backwardKey } = keys;
  const derived = [verify, forwardDigest, backwardDigest, forwardKey, backwardKey].map(toHex).join('');
  expect(derived).toBe([0, 1, 2, 3, 4].map(block).join('').slice(0, 184));
});

test('the key stream is the same whatever pieces it is asked for in, and leaves other bytes alone', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 40 }),
      (key, lengths) => {
        const total = lengths.reduce((sum, length) => sum + length, 0);
        const bytes = new Uint8Array(total + 2);
        const cipher = new AesCtr(key);
        let at = 1;
        for (const length of lengths) {
          cipher.apply(bytes, at, length);
          at += length;
        }
        const expected = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(total));
        expect(toHex(bytes)).toBe(`00${toHex(expected)}00`);
      },
    ),
    { numRuns: 60 },
  );
});
