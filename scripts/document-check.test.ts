import { describe, expect, it } from 'vitest';
import {
  entriesOf,
  makeAuthority,
  makeConsensus,
  makeRelays,
  makeVote,
  wallMs,
} from '../src/directory/small-network.fixture.ts';
import { type CheckedDocument, certificatesIn, checkDocuments } from './document-check.ts';

const relays = makeRelays();
const [, second] = relays;
const authorities = [makeAuthority(1), makeAuthority(2)];
const certificates = authorities.map(({ certificate }) => certificate);
const consensus = makeConsensus(relays, authorities, 'microdesc');

/** What is said of the documents of a file. */
function check(text: string, given = certificates): readonly CheckedDocument[] {
  return checkDocuments(text, { wallMs, certificates: given }) ?? [];
}

function verdictOn(text: string) {
  const faults = check(text).flatMap(({ fault }) => fault ?? []);
  return faults.map(({ field, line, problem }) => ({ field, line, problem }));
}

const lineOf = (text: string, keyword: string, from = 0): number =>
  text.split('\n').findIndex((line, at) => at >= from && line.split(' ', 1)[0] === keyword) + 1;

describe('documents that C tor takes', () => {
  it.each([
    ['server descriptor', second.text, 'relay1'],
    ['key certificate', certificates[0].text, /^[0-9A-F]{40}$/],
    ['consensus', consensus, 'microdesc'],
    ['consensus', makeConsensus(relays, authorities, 'ns'), 'ns'],
    ['vote', makeVote(authorities[0], entriesOf(relays)).text, 'auth1'],
  ])('%s', (kind, text, name) => {
    const [found, ...others] = check(text);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ kind, line: 1, fault: undefined, name: expect.stringMatching(name) });
  });

  it('are found one after the other, in a cache too', () => {
    const cache = relays.map(
      ({ text }) => `@downloaded-at 2026-11-21 11:48:08\n@source "127.0.0.1"\n${text}`,
    );
    const found = check(cache.join(''));
    expect(found.map(({ name, fault }) => [name, fault])).toEqual(
      relays.map(({ nickname }) => [nickname, undefined]),
    );
    expect(found[1].line).toBe(cache[0].split('\n').length + 2);
  });

  it('are no other files', () => {
    for (const text of ['', '# comment\nORPort 9001\n', 'routers are\n'])
      expect(checkDocuments(text, { wallMs, certificates })).toBeUndefined();
  });
});

describe('a server descriptor', () => {
  const { text } = second;
  const at = (keyword: string) => lineOf(text, keyword);
  it.each([
    ['router', text.replace(/^router \S+/, 'router a_b'), at('router')],
    ['router', text.replace(/ 9002 0 0\n/, ' 0 0 0\n'), at('router')],
    ['published', text.replace(/\npublished .*/, '\npublished yesterday'), at('published')],
    ['published', text.replace(/\npublished .*/, ''), undefined],
    ['proto', text.replace(/\nproto .*/, '\nproto'), at('proto')],
    ['bandwidth', text.replace(/\nbandwidth .*/, '\nbandwidth 0 1 1'), at('bandwidth')],
    ['bandwidth', text.replace(/\n(bandwidth .*)/, '\n$1\n$1'), at('bandwidth') + 1],
    ['reject', text.replace(/\nreject .*/, '\nreject 1.2.3.4.5:*'), at('reject')],
    ['ntor-onion-key', text.replace(/\nntor-onion-key .*/, '\nntor-onion-key AAAA'), at('ntor-onion-key')],
    ['naulon-price', text.replace(/\nnaulon-price .*/, '\nnaulon-price -1 1'), at('naulon-price')],
    ['fingerprint', text.replace(/\nfingerprint \w+/, '\nfingerprint 0000'), at('fingerprint')],
    ['router-sig-ed25519', text.replace(/\nuptime .*/, '\nuptime 7'), at('router-sig-ed25519')],
    ['identity-ed25519', text.replace(/\nidentity-ed25519/, '\nhibernating 0\nidentity-ed25519'), 3],
    [undefined, text.replace(/\nuptime .*/, '\n'), at('uptime')],
    [undefined, text.replace(/\nuptime .*/, '\nuptime 7\0'), at('uptime')],
  ])('is refused for %s', (field, twin, line) => {
    const before = relays[0].text;
    const moved = line === undefined ? undefined : line + before.split('\n').length - 1;
    expect(verdictOn(before + twin)).toMatchObject([{ field, line: moved }]);
  });

  it('is told what the field holds, and what it has to', () => {
    const [{ fault }] = check(text.replace(/\nbandwidth .*/, '\nbandwidth 0 1 1'));
    expect(fault).toMatchObject({
      problem: 'bandwidth is "0 1 1"',
      rule: expect.stringContaining('above 0'),
    });
  });

  it('that is old is taken with a note', () => {
    const given = { wallMs: wallMs + 3 * 86_400_000, certificates };
    expect(checkDocuments(text, given)?.[0].notes).toEqual([expect.stringMatching(/^published .* last day/)]);
  });
});

describe('a consensus', () => {
  const entry = lineOf(consensus, 'r') - 1;
  const [, nickname] = consensus.split('\n')[entry].split(' ');
  it.each([
    ['vote-status', consensus.replace('\nvote-status consensus', '\nvote-status vowel'), 'vote-status'],
    [
      'fresh-until',
      consensus.replace(/\nfresh-until .*/, '\nfresh-until 2001-01-01 00:00:00'),
      'fresh-until',
    ],
    ['known-flags', consensus.replace(/\nknown-flags .*/, '\nknown-flags Valid Exit'), 'known-flags'],
    ['params', consensus.replace(/\nparams .*/, '\nparams a=1 a=2'), 'params'],
  ])('is refused for %s', (field, twin, keyword) => {
    expect(verdictOn(twin)).toMatchObject([{ field, line: lineOf(consensus, keyword) }]);
  });

  it('is refused for a field of one relay, which is named', () => {
    const twin = consensus.replace(/\nw .*/, '\nw Bandwidth=much');
    const line = lineOf(consensus, 'w', entry);
    expect(verdictOn(twin)).toEqual([
      { field: 'w', line, problem: `w of router ${nickname} is "Bandwidth=much"` },
    ]);
  });

  it('is held against the certificates that are given, and against none without', () => {
    const twin = consensus.replace(/\nw .*/, '\nw Bandwidth=77');
    expect(verdictOn(twin)).toMatchObject([{ field: 'directory-signature' }]);
    expect(check(twin, [])[0]).toMatchObject({ fault: undefined });
    expect(check(twin, [])[0].notes.join()).toContain('no signature was verified');
    expect(certificatesIn(certificates.map(({ text }) => text).join(''))).toEqual(certificates);
  });
});

describe('a key certificate', () => {
  const [{ text }] = certificates;
  it.each(['dir-key-published', 'dir-key-expires', 'fingerprint'])('is refused for %s', field => {
    expect(verdictOn(text.replace(new RegExp(`\n${field}.*`), ''))).toMatchObject([{ field }]);
  });

  it('is refused when a signature is not of its text', () => {
    const twin = text.replace(/\ndir-key-expires .*/, '\ndir-key-expires 2031-01-01 00:00:00');
    const problem = 'dir-key-certification does not verify';
    expect(verdictOn(twin)).toEqual([
      { field: 'dir-key-certification', line: lineOf(text, 'dir-key-certification'), problem },
    ]);
  });
});
