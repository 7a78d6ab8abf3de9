import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromUtf8, toBase64, toHex, utf8 } from '../base/bytes.ts';
import { sha256 } from '../crypto/sha.ts';
import { parseConsensus } from './consensus.ts';
import { DirectoryCache } from './directory-cache.ts';
import type { DirectoryDocuments } from './directory-documents.ts';
import { documentBytes } from './document-lines.ts';
import {
  encodeRequest,
  HttpRequestReader,
  type HttpResponse,
  HttpResponseReader,
  plainAnswer,
} from './http-codec.ts';
import {
  ManualClock,
  makeAuthority,
  makeConsensus,
  makeRelays,
  microOf,
  must,
  wallMs,
} from './small-network.fixture.ts';

const authority = makeAuthority(0);
const relays = makeRelays();
const micro = new Map(
  relays.map(each => {
    const text = microOf(each);
    return [toHex(sha256(documentBytes(text))), text] as const;
  }),
);
const consensuses = {
  ns: must(parseConsensus(makeConsensus(relays, [authority], 'ns'))),
  microdesc: must(parseConsensus(makeConsensus(relays, [authority], 'microdesc'))),
};
const documents: DirectoryDocuments = {
  consensus: flavor => consensuses[flavor],
  certificates: () => [authority.certificate],
  microdescriptor: digest => micro.get(digest),
  descriptor: digest => relays.find(each => toHex(each.digest) === digest)?.text,
  descriptorOf: id => relays.find(each => toHex(each.rsaId) === id)?.text,
  descriptors: () => relays.map(each => each.text),
  ownDescriptor: () => undefined,
};
const clock = new ManualClock();
const cache = new DirectoryCache(documents, clock);

function ask(path: string, ifModifiedSinceMs?: number, from = cache): HttpResponse {
  const bytes = from.respond(encodeRequest('GET', path, 'h', { ifModifiedSinceMs }), '10.0.0.9');
  return must(new HttpResponseReader().push(bytes!)!);
}

const ident = toHex(authority.certificate.v3Ident).toUpperCase();
const signing = toHex(authority.certificate.signingKeyDigest).toUpperCase();
const sha1 = toHex(relays[0].digest).toUpperCase();
const microName = toBase64(sha256(documentBytes(microOf(relays[0]))));

describe('directory cache', () => {
  test.each([
    ['/tor/status-vote/current/consensus', consensuses.ns.text],
    ['/tor/status-vote/current/consensus.z', consensuses.ns.text],
    [`/tor/status-vote/current/consensus-microdesc/${ident.slice(0, 6)}.z`, consensuses.microdesc.text],
    [`/tor/status-vote/current/consensus/${ident}`, consensuses.ns.text],
    ['/tor/keys/all', authority.certificate.text],
    ['/tor/keys/authority.z', authority.certificate.text],
    [`/tor/keys/fp/${ident}`, authority.certificate.text],
    [`/tor/keys/sk/${signing}.z`, authority.certificate.text],
    [`/tor/keys/fp-sk/${ident}-${signing}`, authority.certificate.text],
    [`/tor/micro/d/${microName}.z`, microOf(relays[0])],
    [`/tor/server/d/${sha1}.z`, relays[0].text],
    [`/tor/server/d/${sha1}+${sha1}`, relays[0].text],
    [`/tor/server/fp/${toHex(relays[1].rsaId)}`, relays[1].text],
    ['/tor/server/all', relays.map(each => each.text).join('')],
  ])('answers %s', (path, text) => {
    const answer = ask(path);
    expect(answer.status).toBe(200);
    expect(fromUtf8(answer.body)).toBe(text);
  });

  test.each([
    '/',
    '/tor',
    '/tor/',
    '/tor/status-vote/next/consensus',
    '/tor/status-vote/current/consensus-diff',
    '/tor/status-vote/current/consensus/ABCDEF',
    '/tor/status-vote/current/consensus/xyz',
    `/tor/status-vote/current/consensus/${ident.slice(0, 6)}+ABCDEF`,
    '/tor/keys/fp/00',
    '/tor/keys/nonsense',
    '/tor/micro/all',
    '/tor/micro/d/AAAA',
    '/tor/server/d/00',
    '/tor/server/authority',
    '/tor/extra/all',
    '/tor/__proto__',
  ])('does not know %s', path => {
    expect(ask(path).status).toBe(404);
  });

  test('says when nothing changed, and when the consensus ends', () => {
    const path = '/tor/status-vote/current/consensus';
    expect(ask(path, consensuses.ns.validAfterMs).status).toBe(304);
    const answer = ask(path, consensuses.ns.validAfterMs - 1_000);
    expect(answer.status).toBe(200);
    expect(answer.headers.has('last-modified')).toBe(true);
    const late = new ManualClock();
    late.pass(48 * 3_600_000);
    expect(ask(path, undefined, new DirectoryCache(documents, late)).status).toBe(404);
  });

  test('takes POSTs, and answers for votes, at an authority alone', () => {
    const post = encodeRequest('POST', '/tor/', 'h', { body: utf8('x') });
    const refusal = fromUtf8(cache.respond(post)!);
    expect(refusal).toMatch(/^HTTP\/1.0 404/);
    const taking = new DirectoryCache(documents, clock, {
      get: path => [path.join()],
      post: request => plainAnswer(200, `got ${request.body.length}`),
    });
    expect(fromUtf8(taking.respond(post)!)).toMatch(/^HTTP\/1.0 200 got 1\r\n/);
    expect(fromUtf8(ask('/tor/status-vote/next/d/AB+CD.z', undefined, taking).body)).toBe('next,d,AB+CD');
    expect(fromUtf8(ask('/tor/status-vote/current/authority', undefined, taking).body)).toBe(
      'current,authority',
    );
  });

  test('compresses what many ask for once, while the documents are the same', () => {
    let texts = ['one', 'two'];
    const changing = new DirectoryCache({ ...documents, descriptors: () => texts }, clock);
    const all = () => {
      const answer = changing.answer(
        must(new HttpRequestReader().push(encodeRequest('GET', '/tor/server/all', 'h'))!),
      );
      return answer.deflated;
    };
    const first = all();
    expect(first).toBeDefined();
    texts = [...texts];
    expect(all()).toBe(first);
    texts = ['one', 'other'];
    const second = all();
    expect(second).not.toEqual(first);
    expect(all()).toBe(second);
  });

  test('compresses no more than so much a second, however documents are put together', () => {
    const later = new ManualClock();
    const names = Array.from({ length: 300 }, (_, at) => String(at).padStart(40, '0'));
    const large = 'x'.repeat(20_000);
    const from = new DirectoryCache({ ...documents, descriptor: name => name + large }, later);
    // Every answer is another one of 800 KB.
    const compresses = (at: number, count: number): boolean => {
      const path = `/tor/server/d/${names.slice(at, at + count).join('+')}`;
      const request = must(new HttpRequestReader().push(encodeRequest('GET', path, 'h'))!);
      const { body, deflated } = from.answer(request);
      expect(body).toHaveLength(count * 20_040);
      return deflated !== undefined;
    };
    const first = Array.from({ length: 50 }, (_, at) => compresses(at, 40));
    expect(first.filter(each => each)).toHaveLength(21);
    expect(first.at(-1)).toBe(false);
    later.pass(1_000);
    expect(compresses(60, 40)).toBe(true);
    expect(compresses(200, 60)).toBe(false);
  });

  test('waits for a whole request and refuses what is none', () => {
    expect(cache.respond(utf8('GET /tor/keys/all HT'))).toBeUndefined();
    expect(fromUtf8(cache.respond(utf8('HELLO\r\n\r\n'))!)).toMatch(/^HTTP\/1.0 400/);
    expect(fromUtf8(cache.respond(new Uint8Array(100_000))!)).toMatch(/^HTTP\/1.0 413/);
    expect(wallMs).toBe(clock.wallMs());
  });

  test('answers any path without throwing', () => {
    const part = fc.constantFrom(
      'tor',
      'server',
      'd',
      'fp',
      'micro',
      'keys',
      'status-vote',
      'current',
      '+',
      '-',
      '%00',
      '..',
      ident,
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), parts => {
        expect([200, 304, 404]).toContain(ask(`/${parts.join('/')}`).status);
      }),
    );
  });
});
