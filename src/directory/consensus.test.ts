import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  buildAuthorityCertificate,
  parseAuthorityCertificate,
  splitCertificates,
} from './authority-certificate.ts';
import { parseConsensus } from './consensus.ts';
import { type ConsensusFacts, formatConsensus } from './consensus-builder.ts';
import { type ConsensusEntry, publishedUnknownMs } from './consensus-entry.ts';
import { pricedMethod } from './consensus-method.ts';
import { missingCertificates, verifyConsensus } from './consensus-verify.ts';
import { formatDirAuthority, parseDirAuthority } from './directory-authority.ts';
import { lineAt, parseLines } from './document-lines.ts';
import { congestionOf, NetworkView } from './network-view.ts';
import { parsePortPolicy } from './port-policy.ts';
import { parseProtocols } from './protocols.ts';
import { relayProtocolsText } from './server-descriptor.ts';
import { makeAuthority, must, seeded, signConsensus, wallMs } from './small-network.fixture.ts';
import { eachDemand } from './status-document.ts';

const authorities = [makeAuthority(0), makeAuthority(1), makeAuthority(2)];
const trusted = authorities.map(each => each.trusted);
const certificates = authorities.map(each => each.certificate);

const flagSets = fc.subarray(['Exit', 'Fast', 'Guard', 'Running', 'Stable', 'V2Dir', 'Valid']);
const entries: fc.Arbitrary<ConsensusEntry[]> = fc
  .array(
    fc.record({
      seed: fc.uuid(),
      flags: flagSets,
      bandwidth: fc.nat(0xffffffff),
      ipv6: fc.boolean(),
      exits: fc.boolean(),
      price: fc.option(fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }), { nil: undefined }),
      unmeasured: fc.boolean(),
    }),
    { minLength: 1, maxLength: 200 },
  )
  .map(list =>
    list.map((each, index) => {
      const bytes = seeded(each.seed + index);
      return {
        nickname: `relay${index}`,
        rsaId: bytes.bytes(20),
        publishedMs: publishedUnknownMs,
        address: { host: `10.0.${index}.1`, port: 9001 },
        ipv6: each.ipv6 ? { host: '2001:db8::1', port: 9001 } : undefined,
        dirPort: index,
        descriptorDigest: bytes.bytes(20),
        microdescriptorDigest: bytes.bytes(32),
        flags: new Set(each.flags),
        version: 'naulon 0.1.0',
        protocols: parseProtocols(relayProtocolsText)!,
        bandwidth: each.bandwidth,
        unmeasured: each.unmeasured,
        exitPolicy: parsePortPolicy(each.exits ? 'accept 80,443' : 'reject 1-65535')!,
        price: each.price === undefined ? undefined : { priceMsatPer2Pow20: each.price, paySchemes: [1, 7] },
      };
    }),
  );

function factsOf(relays: readonly ConsensusEntry[]): ConsensusFacts {
  return {
    method: pricedMethod,
    clientVersions: ['0.4.9.11'],
    serverVersions: [],
    previousRandom: undefined,
    currentRandom: undefined,
    protocols: eachDemand(demand => parseProtocols(demand.startsWith('required') ? 'Link=4-5' : '')!),
    validAfterMs: wallMs,
    freshUntilMs: wallMs + 10_000,
    validUntilMs: wallMs + 30_000,
    votingDelay: [2, 2],
    knownFlags: ['Exit', 'Fast', 'Guard', 'Running', 'Stable', 'V2Dir', 'Valid'],
    params: new Map([
      ['zeta', -1],
      ['alpha', 2 ** 31 - 1],
    ]),
    relays,
    authorities: authorities.map(({ trusted }) => ({
      nickname: trusted.nickname,
      v3Ident: trusted.v3Ident!,
      hostname: 'h',
      address: '127.0.0.1',
      dirPort: 7000,
      orPort: 5000,
      contact: 'c',
      voteDigest: new Uint8Array(20),
    })),
  };
}

const signers = (which: readonly number[]) => which.map(i => authorities[i]);

describe('consensus', () => {
  test.each(['ns', 'microdesc'] as const)(
    'of 1 to 200 relays comes back from its text, flavour %s',
    flavor => {
      fc.assert(
        fc.property(entries, relays => {
          const facts = factsOf(relays);
          const read = must(
            parseConsensus(signConsensus(formatConsensus(facts, flavor), flavor, signers([0]))),
          );
          expect(read).toMatchObject({
            flavor,
            validAfterMs: facts.validAfterMs,
            freshUntilMs: facts.freshUntilMs,
            validUntilMs: facts.validUntilMs,
            votingDelay: [2, 2],
            params: facts.params,
            protocols: facts.protocols,
          });
          const sorted = [...relays].sort((a, b) => Buffer.compare(a.rsaId, b.rsaId));
          expect(read.relays).toEqual(
            sorted.map(relay => ({
              ...relay,
              descriptorDigest: flavor === 'ns' ? relay.descriptorDigest : undefined,
              microdescriptorDigest: flavor === 'microdesc' ? relay.microdescriptorDigest : undefined,
              exitPolicy: flavor === 'ns' ? relay.exitPolicy : undefined,
            })),
          );
          expect(read.authorities).toHaveLength(3);
        }),
        { numRuns: 25 },
      );
    },
  );

  test('has the same text whatever order relays and authorities come in', () => {
    fc.assert(
      fc.property(entries, relays => {
        const facts = factsOf(relays);
        const turned = {
          ...facts,
          relays: [...relays].reverse(),
          authorities: [...facts.authorities].reverse(),
          params: new Map([...facts.params].reverse()),
        };
        expect(formatConsensus(turned, 'microdesc')).toBe(formatConsensus(facts, 'microdesc'));
      }),
      { numRuns: 20 },
    );
  });

  const [relays] = fc.sample(entries, { numRuns: 1, seed: 4 });
  const signed = formatConsensus(factsOf(relays), 'microdesc');

  test('needs more than half of the authorities', () => {
    const verdict = (which: readonly number[], known = certificates) => {
      const consensus = must(parseConsensus(signConsensus(signed, 'microdesc', signers(which))));
      const result = verifyConsensus(consensus, trusted, known, wallMs);
      return result.ok ? result.value.length : result.fault.code;
    };
    expect(verdict([0, 1, 2])).toBe(3);
    expect(verdict([0, 2])).toBe(2);
    expect(verdict([1])).toBe('CONSENSUS_TOO_FEW_SIGNATURES');
    expect(verdict([1, 1, 1])).toBe('CONSENSUS_TOO_FEW_SIGNATURES');
    expect(verdict([0, 1], certificates.slice(1))).toBe('CONSENSUS_CERTIFICATES_MISSING');
    const none = must(parseConsensus(signConsensus(signed, 'microdesc', signers([0]))));
    expect(verifyConsensus(none, [], certificates, wallMs)).toMatchObject({
      fault: { code: 'CONSENSUS_NO_AUTHORITIES' },
    });
    expect(missingCertificates(none, trusted, [], wallMs)).toHaveLength(1);
    expect(missingCertificates(none, trusted, certificates, wallMs + 100 * 86_400_000)).toHaveLength(1);
  });

  test('is believed by no signature of another document', () => {
    const other = formatConsensus({ ...factsOf(relays), validAfterMs: wallMs - 1000 }, 'microdesc');
    const signature = signConsensus(other, 'microdesc', signers([0, 1, 2])).slice(other.length - 20);
    const consensus = must(parseConsensus(signed.slice(0, -20) + signature));
    expect(consensus.signatures).toHaveLength(3);
    expect(verifyConsensus(consensus, trusted, certificates, wallMs)).toMatchObject({
      fault: { code: 'CONSENSUS_TOO_FEW_SIGNATURES' },
    });
  });

  test('never makes the parser throw, nor takes unsorted or repeated relays', () => {
    const text = signConsensus(signed, 'microdesc', signers([0]));
    const lines = text.split('\n');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(lines.length - 1), fc.string({ unit: 'binary', maxLength: 60 })), {
          maxLength: 3,
        }),
        fc.constantFrom('replace', 'drop', 'double', 'append'),
        (edits, how) => {
          const copy = [...lines];
          for (const [at, content] of edits) {
            if (how === 'replace') copy[at] = content;
            if (how === 'drop') copy.splice(at, 1);
            if (how === 'double') copy.splice(at, 0, copy[at] ?? '');
            if (how === 'append') copy[at] += content;
          }
          parseConsensus(copy.join('\n'));
        },
      ),
      { numRuns: 400 },
    );
    const entry = /\nr [\s\S]*?(?=\nr |\ndirectory-footer)/.exec(text)![0];
    const twice = text.replace(entry, entry + entry);
    expect(parseConsensus(twice)).toMatchObject({
      fault: { detail: expect.stringMatching(/^r of router \w+: routers are sorted/) },
    });
  });

  test('is what congestion control needs: who has none counts by fixed windows', () => {
    const text = signConsensus(formatConsensus(factsOf([]), 'microdesc'), 'microdesc', signers([0]));
    expect(congestionOf(new NetworkView(must(parseConsensus(text)), [])).enabled).toBe(true);
    expect(congestionOf(undefined).enabled).toBe(false);
  });

  test('names in it are data, never properties', () => {
    const text = signConsensus(signed, 'microdesc', signers([0])).replace(
      /params .*/,
      'params __proto__=1 constructor=2',
    );
    const read = must(parseConsensus(text));
    expect([...read.params.keys()]).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>).alpha).toBeUndefined();
  });
});

describe('authority certificate', () => {
  const { identity, signing } = authorities[0];
  const text = buildAuthorityCertificate(identity, signing, {
    publishedMs: wallMs,
    expiresMs: wallMs + 1000,
    dirAddress: '127.0.0.1:7000',
  });

  test('comes back from its text', () => {
    expect(must(parseAuthorityCertificate(text))).toMatchObject({
      v3Ident: identity.fingerprint,
      signingKeyDigest: signing.fingerprint,
      publishedMs: wallMs,
      expiresMs: wallMs + 1000,
    });
    expect(splitCertificates(text + text, 9)).toEqual([text, text]);
    expect(splitCertificates(text + text, 1)).toEqual([text]);
    expect(splitCertificates('', 9)).toEqual([]);
  });

  test('is refused with any byte changed', () => {
    for (let at = 0; at < text.length; at += 5) {
      const flipped = String.fromCharCode(text.charCodeAt(at) ^ 1);
      const changed = text.slice(0, at) + flipped + text.slice(at + 1);
      // Base64 has spare bits at the end of an object, which carry nothing.
      const result = parseAuthorityCertificate(changed);
      if (result.ok) expect(result.value.identityKey).toEqual(identity.publicDer);
      if (result.ok) expect(text.slice(at - 3, at + 5)).toMatch(/=|-----/);
    }
  });
});

describe('DirAuthority line', () => {
  test('comes back from its text', () => {
    const [authority] = trusted;
    expect(must(parseDirAuthority(formatDirAuthority(authority)))).toEqual(authority);
  });

  test.each([
    ['no address', 'auth orport=1 v3ident=00'],
    ['no fingerprint', 'auth orport=1 127.0.0.1:80 ABC'],
    ['no orport', `auth 127.0.0.1:80 ${'A'.repeat(40)}`],
    ['bad v3ident', `auth orport=1 v3ident=12 127.0.0.1:80 ${'A'.repeat(40)}`],
  ])('is refused with %s', (_why, line) => {
    expect(parseDirAuthority(line).ok).toBe(false);
  });

  test('takes fingerprints with spaces and unknown flags', () => {
    const line = `moria bridge weight=1 orport=9101 127.0.0.1:9131 ${'ABCD '.repeat(10)}`;
    expect(must(parseDirAuthority(line))).toMatchObject({ nickname: 'moria', orAddress: { port: 9101 } });
  });
});

describe('document lines', () => {
  test('are read over empty lines, spaces and odd keywords, as by C tor', () => {
    const lines = parseLines('\n  \n abc 1\na_b! 2\n\n', 1_000);
    expect(lines.ok && lines.value.map(({ keyword, rest }) => [keyword, rest])).toEqual([
      ['abc', '1'],
      ['a_b!', '2'],
    ]);
  });

  test.each([
    ['no newline', 'abc', 'DOCUMENT_BAD_LINE'],
    ['an annotation', '@abc 1\n', 'DOCUMENT_BAD_LINE'],
    ['an object for a line', '-----BEGIN X-----\nAAAA\n-----END X-----\n', 'DOCUMENT_BAD_LINE'],
    ['NUL in a keyword', 'a\0c 1\n', 'DOCUMENT_BAD_LINE'],
    ['NUL', 'abc a\0b\n', 'DOCUMENT_BAD_LINE'],
    ['no END', 'abc\n-----BEGIN X-----\nAAAA\n', 'DOCUMENT_BAD_OBJECT'],
    ['other END', 'abc\n-----BEGIN X-----\nAAAA\n-----END Y-----\n', 'DOCUMENT_BAD_OBJECT'],
    ['bad base64', 'abc\n-----BEGIN X-----\nA*AA\n-----END X-----\n', 'DOCUMENT_BAD_OBJECT'],
    [
      'long object',
      `abc\n-----BEGIN X-----\n${'AAAA\n'.repeat(3000)}-----END X-----\n`,
      'DOCUMENT_BAD_OBJECT',
    ],
    ['too large', 'abc\n'.repeat(300), 'DOCUMENT_TOO_LARGE'],
  ])('with %s are refused', (_why, text, code) => {
    const cap = code === 'DOCUMENT_TOO_LARGE' ? 1_000 : 1_000_000;
    expect(parseLines(text, cap)).toMatchObject({ fault: { code } });
  });

  test('cover the text without gaps', () => {
    const text = 'one\ntwo 2  x\nobj\n-----BEGIN A B-----\nAAEC\n-----END A B-----\nopt four\n';
    const lines = must(parseLines(text, 1000));
    expect(lines.map(each => [each.keyword, each.rest])).toEqual([
      ['one', ''],
      ['two', '2  x'],
      ['obj', ''],
      ['four', ''],
    ]);
    expect(lines[2].object).toEqual({ label: 'A B', bytes: Uint8Array.of(0, 1, 2) });
    expect(lines.map(each => text.slice(each.start, each.end)).join('')).toBe(text);
  });

  test('are read in time that grows with their length alone', () => {
    // Many BEGINs without END cost a bounded window each, not the rest of the text.
    const text = 'a\n-----BEGIN X-----\n'.repeat(20_000);
    expect(parseLines(text, text.length).ok).toBe(false);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), junk => {
        parseLines(junk, 1000);
        lineAt(`${junk}\n`, 0);
      }),
      { numRuns: 500 },
    );
  });
});
