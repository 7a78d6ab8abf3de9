import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { descriptorsMax } from '../base/limits.ts';
import { parseConsensus } from './consensus.ts';
import { formatConsensus } from './consensus-builder.ts';
import { attachSignatures, signedAlgorithm, signText } from './consensus-signatures.ts';
import { formatDetachedSignatures, parseDetachedSignatures } from './detached-signatures.ts';
import { parseProtocols } from './protocols.ts';
import { versionOf } from './server-descriptor.ts';
import {
  agreedOn,
  entriesOf,
  makeAuthority,
  makeRelays,
  makeVote,
  must,
  wallMs,
} from './small-network.fixture.ts';
import { parseVote, splitVotes } from './vote.ts';

const authorities = [makeAuthority(0), makeAuthority(1)];
const relays = entriesOf(makeRelays());

describe('vote', () => {
  const measured = relays.map((relay, i) => (i === 1 ? { ...relay, measured: 777 } : relay));
  const vote = makeVote(authorities[0], measured, {
    params: new Map([
      ['b', -1],
      ['a', 2],
    ]),
  });

  test('comes back from its text', () => {
    expect(vote.relays).toEqual(measured);
    expect(vote.authority).toMatchObject({ nickname: 'auth0', v3Ident: authorities[0].identity.fingerprint });
    expect(vote.certificate).toEqual(authorities[0].certificate);
    expect(vote.params).toEqual(
      new Map([
        ['a', 2],
        ['b', -1],
      ]),
    );
    const other = makeVote(authorities[1], []);
    expect(splitVotes(vote.text + other.text, 9)).toEqual([vote.text, other.text]);
    expect(splitVotes(vote.text + other.text, 1)).toEqual([vote.text]);
    expect(splitVotes(`x${vote.text}`, 9)).toEqual([]);
  });

  test('is read when written by C tor, whose lines stand in another order and name more methods', () => {
    const entry = /\nr relay0 [\s\S]*?(?=\nr |\ndirectory-footer)/.exec(vote.text)?.[0] ?? '';
    const [r, flags, v, pr, w, p, id, plain, priced, price] = entry.trim().split('\n');
    const digest = plain.split(' ')[2];
    const theirs = [r, flags, v, pr, w, p, id, 'stats wfu=1.0 tk=2 mtbf=3'];
    const micro = [`m 32,33,35 ${digest}`, 'm 34 sha256=AA', priced, price];
    const body = vote.text
      .replace(entry, `\n${[...theirs, ...micro].join('\n')}`)
      .replace('methods 35 1035', 'methods 32 33 34 35 1035');
    expect(must(parseVote(signedAgain(body))).methods).toEqual([32, 33, 34, 35, 1035]);
    expect(must(parseVote(signedAgain(body))).relays).toEqual(measured);
  });

  test.each([
    ['another status', 'vote-status vote', 'vote-status opinion', 'VOTE_BAD'],
    ['a method that is no number', 'consensus-methods 35', 'consensus-methods x', 'VOTE_BAD'],
    ['half a digest', 'm 35 sha256=', 'm 35 sha256=A', 'VOTE_BAD'],
    ['a flag that it does not know', 'known-flags Authority Exit', 'known-flags Authority', 'VOTE_BAD'],
    ['unsorted flags', 'known-flags Authority Exit', 'known-flags Exit Authority', 'VOTE_BAD'],
    ["another authority's name", 'dir-source auth0 ', 'dir-source auth0 00', 'VOTE_BAD'],
    ['no Ed25519 identity', 'id ed25519 ', 'id none ', 'VOTE_BAD'],
    ['a measurement that is no number', 'Measured=777', 'Measured=x', 'VOTE_BAD'],
    ['something changed under its signature', 'Bandwidth=10000', 'Bandwidth=10001', 'VOTE_BAD_SIGNATURE'],
  ])('with %s is refused', (_what, from, to, code) => {
    expect(vote.text).toContain(from);
    expect(parseVote(vote.text.replace(from, to))).toMatchObject({ ok: false, fault: { code } });
  });

  test('is read with what C tor agrees on besides', () => {
    const value = `3 ${'A'.repeat(43)}=`;
    const body = (participates: string) =>
      vote.text
        .replace('known-flags', 'client-versions 0.4.8.1,0.4.9.11\nknown-flags')
        .replace(/\ncontact .*/, `$&\n${participates}shared-rand-current-value ${value}`);
    expect(must(parseVote(signedAgain(body('shared-rand-participate\n'))))).toMatchObject({
      clientVersions: ['0.4.8.1', '0.4.9.11'],
      serverVersions: undefined,
      currentRandom: value,
      previousRandom: undefined,
    });
    expect(must(parseVote(signedAgain(body(''))))).toMatchObject({ currentRandom: undefined });
  });

  test('leaves out what it has no room for: relays that do not run', () => {
    const running = relays.map(({ rsaId }) => toHex(rsaId));
    const crowd = Array.from({ length: descriptorsMax - relays.length }, (_, i) => ({
      ...relays[0],
      rsaId: Uint8Array.from({ length: 20 }, (_, at) => (at < 2 ? (i >> (8 * at)) & 0xff : 1)),
      version: versionOf('v'.repeat(10_000)),
      protocols: parseProtocols(Array.from({ length: 64 }, (_, at) => `Protocol${100 + at}=1-5`).join(' '))!,
      flags: new Set(['Valid']),
    }));
    const { relays: kept } = makeVote(authorities[0], [...crowd, ...relays]);
    expect(kept.length).toBeGreaterThan(5_000);
    expect(kept.flatMap(({ rsaId, flags }) => (flags.has('Running') ? toHex(rsaId) : []))).toEqual(running);
  });

  test('may know no Ed25519 identity of a relay, and no microdescriptor of it', () => {
    const bare = { ...relays[0], ed25519: undefined, microdescriptorDigests: new Map() };
    expect(makeVote(authorities[0], [bare]).relays).toEqual([bare]);
  });

  test('with the certificate of another authority is refused', () => {
    const [own, other] = authorities.map(({ certificate }) => certificate.text);
    expect(parseVote(vote.text.replace(own, other))).toMatchObject({
      ok: false,
      fault: { detail: 'certificate' },
    });
  });

  test('never makes the parser throw', () => {
    const lines = vote.text.split('\n');
    const edit = fc.tuple(fc.nat(lines.length - 1), fc.string({ unit: 'binary', maxLength: 60 }));
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 3 }), fc.boolean(), (edits, drop) => {
        const copy = [...lines];
        for (const [at, content] of edits) copy.splice(at, drop ? 1 : 0, ...(drop ? [] : [content]));
        parseVote(copy.join('\n'));
      }),
      { numRuns: 300 },
    );
  });

  /** The text with a signature of its own, whatever was changed before. */
  function signedAgain(text: string): string {
    const signed = text.slice(0, text.indexOf('\ndirectory-signature ') + 21);
    const signer = { v3Ident: authorities[0].identity.fingerprint, signingKey: authorities[0].signing };
    return attachSignatures(signed, 'ns', [signText(signed, 'sha1', signer)]);
  }
});

describe('detached signatures', () => {
  const votes = authorities.map(each => makeVote(each, relays));
  const facts = agreedOn(votes);
  const signedBy = (flavor: 'ns' | 'microdesc') => {
    const text = formatConsensus(facts, flavor);
    const signatures = authorities.map(({ identity, signing }) =>
      signText(text, signedAlgorithm[flavor], { v3Ident: identity.fingerprint, signingKey: signing }),
    );
    const consensus = must(parseConsensus(attachSignatures(text, flavor, signatures)));
    return { digest: flavor === 'ns' ? consensus.sha1Digest : consensus.sha256Digest, signatures };
  };
  const { validAfterMs, freshUntilMs, validUntilMs } = facts;
  const detached = {
    times: { validAfterMs, freshUntilMs, validUntilMs },
    signed: { ns: signedBy('ns'), microdesc: signedBy('microdesc') },
  };
  const text = formatDetachedSignatures(detached);

  test('come back from their text', () => {
    expect(must(parseDetachedSignatures(text))).toEqual(detached);
    expect(facts.validAfterMs).toBe(wallMs);
  });

  test('of other flavours and algorithms are passed over', () => {
    const more = `${text}additional-digest other sha3 00\nadditional-digest microdesc sha3-256 00\n`;
    expect(must(parseDetachedSignatures(more))).toEqual(detached);
  });

  test.each([
    ['no digest', /consensus-digest .*\n/, ''],
    ['a short digest', /sha256 [0-9A-F]{2}/, 'sha256 '],
    ['two digests', /(additional-digest .*\n)/, '$1$1'],
    ['no times', /valid-until .*\n/, ''],
    ['a signer without name', /(directory-signature )[0-9A-F]{40}/, '$1ABC'],
  ])('with %s are refused', (_what, from, to) => {
    expect(text).toMatch(from);
    expect(parseDetachedSignatures(text.replace(from, to))).toMatchObject({
      fault: { code: 'SIGNATURES_BAD' },
    });
  });
});
