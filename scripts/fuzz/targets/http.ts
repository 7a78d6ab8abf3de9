import { deflateSync, gzipSync } from 'node:zlib';
import { utf8 } from '../../../src/base/bytes.ts';
import { parseAuthorityCertificate } from '../../../src/directory/authority-certificate.ts';
import { type Consensus, parseConsensus } from '../../../src/directory/consensus.ts';
import { DirectoryCache } from '../../../src/directory/directory-cache.ts';
import type { DirectoryDocuments } from '../../../src/directory/directory-documents.ts';
import {
  encodeAnswer,
  encodeRequest,
  HttpRequestReader,
  HttpResponseReader,
  plainAnswer,
} from '../../../src/directory/http-codec.ts';
import type { FuzzTarget } from '../fuzz-target.ts';
import { sourceWords } from '../source-words.ts';
import { LooseClock } from './loose-clock.ts';
import { sampleDocuments } from './sample-documents.ts';
import { verdictOf } from './verdict.ts';

const sources = ['src/directory/http-codec', 'src/directory/directory-cache'];
const cases = 100_000;
/** Smaller than what nodes take, so that both sides of the caps are tried. */
const bodyBytesMax = 65_536;
const words = (): Uint8Array[] => [
  ...sourceWords(sources),
  ...['\r\n', '\r\n\r\n', 'Content-Length: ', 'Content-Encoding: gzip\r\n'].map(utf8),
];

/** In the pieces that its first byte says. */
function inPieces<T>(input: Uint8Array, push: (bytes: Uint8Array) => T | undefined): T | undefined {
  const step = [input.length, 1 + (input[0] ?? 0), 7][(input[0] ?? 0) % 3];
  for (let at = 1; at < input.length; at += Math.max(step, 1)) {
    const done = push(input.subarray(at, at + Math.max(step, 1)));
    if (done !== undefined) return done;
  }
  return undefined;
}

/** What a directory is asked, and its answer. */
export const httpRequests: FuzzTarget = {
  name: 'http-requests',
  cases,
  inputBytesMax: 20_000,
  sources,
  open() {
    const directory = new DirectoryCache(documents(), new LooseClock(sampleDocuments().wallMs), {
      get: () => [],
      post: () => plainAnswer(200),
    });
    const paths = [
      'status-vote/current/consensus',
      'status-vote/current/consensus-microdesc/ABCDEF',
      'keys/fp-sk/00-11',
      'micro/d/AAAA-BBBB',
      'server/fp/00+11',
      'server/all.z',
      'keys/all',
    ];
    return {
      seeds: [
        ...paths.map(path => encodeRequest('GET', `/tor/${path}`, 'host', { ifModifiedSinceMs: 1e12 })),
        encodeRequest('POST', '/tor/', 'host', { body: utf8('router') }),
      ].map(bytes => Uint8Array.of(0, ...bytes)),
      words: words(),
      take(input, tell) {
        const reader = new HttpRequestReader(bodyBytesMax);
        const request = inPieces(input, bytes => reader.push(bytes));
        if (request === undefined) tell('more');
        else tell(`${verdictOf(request)} ${directory.respondTo(request, '10.0.0.1').subarray(9, 12)}`);
      },
    };
  },
};

/** What a directory answers, packed or not. */
export const httpResponses: FuzzTarget = {
  name: 'http-responses',
  cases,
  inputBytesMax: 20_000,
  sources,
  open() {
    const body = utf8(sampleDocuments().microdescriptors.join(''));
    const answer = (deflated?: Uint8Array, bytes = body) =>
      encodeAnswer(
        { status: 200, reason: 'OK', body: bytes, deflated, expiresMs: 1e12 },
        { method: 'GET', path: '/x.z', headers: new Map(), body: bytes },
        1e12,
      );
    return {
      seeds: [
        answer(),
        answer(deflateSync(body)),
        answer(gzipSync(body)),
        answer(deflateSync(new Uint8Array(2 * bodyBytesMax))),
      ].map(bytes => Uint8Array.of(0, ...bytes)),
      words: [...words(), deflateSync(utf8('x')), gzipSync(utf8('x')), deflateSync(new Uint8Array(60_000))],
      take(input, tell) {
        const reader = new HttpResponseReader(bodyBytesMax);
        tell(verdictOf(inPieces(input, bytes => reader.push(bytes)) ?? reader.end()));
      },
    };
  },
};

function documents(): DirectoryDocuments {
  const { consensuses, certificates, microdescriptors, descriptors } = sampleDocuments();
  const parsed = consensuses.map(text => parseConsensus(text)).flatMap(each => (each.ok ? [each.value] : []));
  const certificate = parseAuthorityCertificate(certificates[0]);
  return {
    consensus: (flavor): Consensus | undefined => parsed.find(each => each.flavor === flavor),
    certificates: () => (certificate.ok ? [certificate.value] : []),
    microdescriptor: () => microdescriptors[0],
    descriptor: () => descriptors[0],
    descriptorOf: () => descriptors[0],
    descriptors: () => descriptors,
    ownDescriptor: () => descriptors[0],
  };
}
