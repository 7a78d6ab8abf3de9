import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toBase64, utf8 } from '../base/bytes.ts';
import type { Ed25519Key } from '../crypto/ed25519.ts';
import { type CertOrder, certType, encodeEd25519Cert } from '../crypto/ed25519-cert.ts';
import { sha1, sha256 } from '../crypto/sha.ts';
import { acceptEverything, parsePolicyRule } from './address-policy.ts';
import { buildServerDescriptor, parseServerDescriptor, splitDescriptors } from './descriptor.ts';
import { documentText, formatObject } from './document-lines.ts';
import { parseMicrodescriptor, splitMicrodescriptors } from './microdescriptor.ts';
import { facts, makeKeys, microOf, must, wallMs } from './small-network.fixture.ts';

const keys = makeKeys('descriptor');
const exitRules = [
  parsePolicyRule('reject', '10.0.0.0/8:*')!,
  parsePolicyRule('accept', '*:80-443')!,
  parsePolicyRule('reject', '*:*')!,
];
const full = facts({
  ipv6: { host: '2001:db8::1', port: 9001 },
  exitPolicy: exitRules,
  ipv6Policy: { kind: 'accept', ranges: [{ low: 80, high: 80 }] },
  family: ['$AAAABBBBCCCCDDDDEEEEFFFF0000111122223333', 'friend'],
});
const text = buildServerDescriptor(keys, full);

/** The descriptor as a relay of C tor signs it that has keys of its families. */
function withFamilies(...certs: readonly Uint8Array[]): string {
  const lines = certs.map(cert => `family-cert\n${formatObject('FAMILY CERT', cert)}`).join('');
  const body = `${text.slice(0, text.indexOf('router-sig-ed25519 '))}${lines}router-sig-ed25519 `;
  const edSignature = keys.signing.sign(sha256(utf8(`Tor router descriptor signature v1${body}`)));
  const signed = `${body}${toBase64(edSignature)}\nrouter-signature\n`;
  return signed + formatObject('SIGNATURE', keys.rsaIdentity.signDigest(sha1(utf8(signed))));
}

describe('server descriptor', () => {
  test('comes back as it was built, verified', () => {
    const read = must(parseServerDescriptor(text, wallMs));
    expect(read).toMatchObject({ ...full, text });
    expect(read.rsaId).toEqual(keys.rsaIdentity.fingerprint);
    expect(read.ed25519).toEqual(keys.identity.publicKey);
    expect(read.ntorKey).toEqual(keys.ntor.publicKey);
  });

  test('has its lines where authorities want them', () => {
    const keywords = text
      .split('\n')
      .map(line => line.split(' ')[0])
      .filter(word => /^[a-z][a-z0-9-]*$/.test(word));
    expect(keywords.slice(0, 2)).toEqual(['router', 'identity-ed25519']);
    expect(keywords.slice(-2)).toEqual(['router-sig-ed25519', 'router-signature']);
    expect(text).toContain('\nnaulon-price 50000000 1\n');
    expect(text).toMatch(/\nproto .*Pay=1/);
  });

  test('is refused with any byte changed that is signed', () => {
    const end = text.indexOf('router-signature\n');
    for (let at = 0; at < end; at += 7) {
      const changed = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
      expect(parseServerDescriptor(changed, wallMs).ok, `byte ${at}`).toBe(false);
    }
  });

  test('is refused with a changed signature', () => {
    const at = text.indexOf('-----BEGIN SIGNATURE-----') + 40;
    const changed = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
    expect(parseServerDescriptor(changed, wallMs)).toMatchObject({
      fault: { code: 'DESCRIPTOR_BAD_SIGNATURE', detail: 'router-signature' },
    });
  });

  test('is refused under another identity', () => {
    const other = buildServerDescriptor({ ...keys, rsaIdentity: makeKeys('other').rsaIdentity }, full);
    expect(parseServerDescriptor(other, wallMs).ok).toBe(true);
    const stolen = buildServerDescriptor({ ...keys, identity: makeKeys('thief').identity }, full);
    const mixed = stolen.replace(/router-sig-ed25519 .*\n/, text.match(/router-sig-ed25519 .*\n/)![0]);
    expect(parseServerDescriptor(mixed, wallMs).ok).toBe(false);
  });

  test('is refused once its certificates have expired', () => {
    expect(parseServerDescriptor(text, wallMs + 40 * 86_400_000)).toMatchObject({
      fault: { code: 'DESCRIPTOR_BAD_SIGNATURE' },
    });
  });

  test('tells the families whose keys have signed for it, and no others', () => {
    const family = (seed: string) => makeKeys(seed).identity;
    const certOf = (signer: Ed25519Key, change: Partial<CertOrder> = {}) =>
      encodeEd25519Cert({
        type: certType.family,
        certified: keys.identity.publicKey,
        signer,
        expiresMs: wallMs,
        embedSigner: true,
        ...change,
      });
    const idOf = (signer: Ed25519Key) => `ed25519:${toBase64(signer.publicKey)}`;
    const [one, two] = [family('one'), family('two')];
    const read = parseServerDescriptor(withFamilies(certOf(one), certOf(two), certOf(one)), wallMs);
    const ids = [idOf(one), idOf(two)].sort();
    expect(must(read).familyIds).toEqual(ids);
    const micro = must(parseMicrodescriptor(microOf(must(read))));
    expect(micro.familyIds).toEqual(ids);
    expect(micro.text).toContain(`\nfamily-ids ${ids.join(' ')}\np accept`);
    for (const wrong of [
      certOf(one, { certified: two.publicKey }),
      certOf(one, { type: certType.identityToSigning }),
      certOf(one, { embedSigner: false }),
      certOf(one).with(120, certOf(one)[120] ^ 1),
    ])
      expect(parseServerDescriptor(withFamilies(wrong), wallMs)).toMatchObject({
        fault: { code: 'DESCRIPTOR_BAD_SIGNATURE', detail: 'family-cert' },
      });
  });

  test('never makes the parser throw', () => {
    const lines = text.split('\n');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(lines.length - 1), fc.string({ unit: 'binary' })), { maxLength: 4 }),
        fc.boolean(),
        (edits, drop) => {
          const copy = [...lines];
          for (const [at, content] of edits) copy[at] = drop ? '' : content;
          parseServerDescriptor(documentText(Buffer.from(copy.join('\n'))), wallMs);
        },
      ),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), junk => {
        parseServerDescriptor(junk, wallMs);
        splitDescriptors(junk, 10);
      }),
    );
  });

  test('is cut out of a list with other documents between', () => {
    const extra = `extra-info relay1 AAAA\nrouter-signature\n-----BEGIN SIGNATURE-----\nAAAA\n-----END SIGNATURE-----\n`;
    expect(splitDescriptors(`${text}${text}`, 9)).toEqual([text, text]);
    expect(splitDescriptors(`${text}${extra}${text}`, 9)).toEqual([text, text]);
    expect(splitDescriptors(`@source "x"\n${text}`, 9)).toEqual([text]);
    expect(splitDescriptors('', 9)).toEqual([]);
    expect(splitDescriptors(`${text}${text}`, 1)).toEqual([text]);
  });
});

describe('microdescriptor', () => {
  const micro = microOf(must(parseServerDescriptor(text, wallMs)));

  test('carries what clients need, in the order that its digest needs', () => {
    expect(micro.split('\n').map(line => line.split(' ')[0])).toEqual([
      'onion-key',
      'ntor-onion-key',
      'family',
      'p',
      'p6',
      'id',
      'naulon-price',
      '',
    ]);
    const read = must(parseMicrodescriptor(micro));
    expect(read.ed25519).toEqual(keys.identity.publicKey);
    expect(read.price).toEqual(full.price);
    expect(read.exitPolicy).toEqual({ kind: 'accept', ranges: [{ low: 80, high: 443 }] });
  });

  test('has no policy lines when the relay is no exit, and all ports when it takes all', () => {
    const middle = microOf(must(parseServerDescriptor(buildServerDescriptor(keys, facts()), wallMs)));
    expect(middle).not.toMatch(/^p/m);
    const open = facts({ exitPolicy: [acceptEverything] });
    const exit = microOf(must(parseServerDescriptor(buildServerDescriptor(keys, open), wallMs)));
    expect(exit).toContain('\np accept 1-65535\n');
  });

  test('is found in a list', () => {
    expect(splitMicrodescriptors(micro + micro, 9)).toEqual([micro, micro]);
    expect(splitMicrodescriptors(`junk\n${micro}`, 9)).toEqual([micro]);
    expect(splitMicrodescriptors(micro + micro, 1)).toEqual([micro]);
    expect(splitMicrodescriptors('', 9)).toEqual([]);
  });

  test('never makes the parser throw', () => {
    fc.assert(
      fc.property(fc.nat(micro.length), fc.string({ unit: 'binary', maxLength: 20 }), (at, junk) => {
        const changed = micro.slice(0, at) + junk + micro.slice(at + 5);
        parseMicrodescriptor(changed);
        splitMicrodescriptors(changed, 5);
      }),
      { numRuns: 500 },
    );
  });
});
