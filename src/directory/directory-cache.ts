import { concatBytes, fromBase64, fromHex, toHex } from '../base/bytes.ts';
import type { Result } from '../base/fault.ts';
import type { Clock } from '../ports.ts';
import type { DirectoryAsker, DirectoryRequest, DirectoryService } from '../stream/directory-stream.ts';
import type { AuthorityCertificate } from './authority-certificate.ts';
import { type Consensus, isReasonablyLive } from './consensus.ts';
import type { ConsensusFlavor } from './consensus-entry.ts';
import type { DirectoryDocuments } from './directory-documents.ts';
import { DirectoryExchange } from './directory-exchange.ts';
import { documentBytes } from './document-lines.ts';
import {
  answerParts,
  type DirectoryAnswer,
  deflate,
  type EncodedAnswer,
  type HttpFault,
  type HttpRequest,
  HttpRequestReader,
  notModifiedSince,
  plainAnswer,
} from './http-codec.ts';
import { RememberedAnswers } from './remembered-answers.ts';

/** Documents asked for in one request. */
const requestedMax = 512;

/** What an authority answers beside the documents that every mirror has. */
export interface AuthorityAnswers {
  /** What is not a consensus below `/tor/status-vote/`: votes and signatures. */
  get(path: readonly string[]): readonly string[];
  post(request: HttpRequest): DirectoryAnswer;
}

/**
 * Answers directory requests from documents at hand: what an authority, and a relay that mirrors, serves over BEGIN_DIR
 * and over a plain directory port. spec: dir-spec/general-use-http-urls
 */
export class DirectoryCache implements DirectoryService {
  readonly #documents: DirectoryDocuments;
  readonly #clock: Clock;
  readonly #authority: AuthorityAnswers | undefined;
  /** Compressed once, since every client asks for the same consensus. */
  readonly #deflated = new Map<
    ConsensusFlavor,
    { consensus: Consensus; body: Uint8Array; deflated: Uint8Array }
  >();
  readonly #remembered: RememberedAnswers;

  /** @param authority absent: nothing can be uploaded here. */
  constructor(documents: DirectoryDocuments, clock: Clock, authority?: AuthorityAnswers) {
    this.#documents = documents;
    this.#clock = clock;
    this.#authority = authority;
    this.#remembered = new RememberedAnswers(clock);
  }

  /** @param onHeld so many bytes wait for this asker alone. */
  begin(asker: DirectoryAsker, onHeld?: (bytes: number) => void): DirectoryRequest {
    const exchange: DirectoryExchange = new DirectoryExchange({
      asker,
      clock: this.#clock,
      onHeld,
      onRequest: request => exchange.answer(this.encoded(request)),
    });
    return exchange;
  }

  /**
   * The whole answer to all bytes of a request so far; undefined: the request goes on.
   * @param asker IP text of who asks; undefined behind a circuit.
   */
  respond(bytes: Uint8Array, asker?: string): Uint8Array | undefined {
    const request = new HttpRequestReader().push(bytes);
    return request === undefined ? undefined : this.respondTo(request, asker);
  }

  /** The whole answer to a request, or to what is none. */
  respondTo(request: Result<HttpRequest, HttpFault>, asker?: string): Uint8Array {
    const { head, body } = this.encoded(request, asker);
    return concatBytes(head, body);
  }

  /** The same with its body apart, which is not copied. */
  encoded(request: Result<HttpRequest, HttpFault>, asker?: string): EncodedAnswer {
    const wallMs = this.#clock.wallMs();
    if (!request.ok) {
      const status = request.fault.code === 'HTTP_TOO_LARGE' ? 413 : 400;
      return answerParts(plainAnswer(status), undefined, wallMs, asker);
    }
    const { value } = request;
    const answer =
      value.method === 'GET' ? this.answer(value) : (this.#authority?.post(value) ?? plainAnswer(404));
    return answerParts(answer, request.value, wallMs, asker);
  }

  answer(request: HttpRequest): DirectoryAnswer {
    const path = request.path.split('?', 1)[0].replace(/\.z$/, '');
    const [root, kind, ...rest] = path.slice(1).split('/');
    if (root !== 'tor') return plainAnswer(404);
    const tail = rest.slice(1).join('/');
    switch (kind) {
      case 'status-vote':
        return this.#consensus(request, rest);
      case 'keys':
        return this.#texts(path, this.#keys(rest[0], tail));
      case 'micro':
        return rest[0] === 'd' ? this.#texts(path, this.#microdescriptors(tail)) : plainAnswer(404);
      case 'server':
        return this.#texts(path, this.#descriptors(rest[0], tail));
      default:
        return plainAnswer(404);
    }
  }

  #consensus(request: HttpRequest, path: readonly string[]): DirectoryAnswer {
    const [when, name, wanted] = path;
    const flavor = flavors.get(name ?? '');
    if (when !== 'current' || flavor === undefined)
      return this.#texts(path.join('/'), this.#authority?.get(path) ?? []);
    const consensus = this.#documents.consensus(flavor);
    if (consensus === undefined || !isReasonablyLive(consensus, this.#clock.wallMs()))
      return plainAnswer(404);
    if (wanted !== undefined && wanted !== '' && !isSignedFor(consensus, wanted)) return plainAnswer(404);
    if (notModifiedSince(request, consensus.validAfterMs)) return plainAnswer(304);
    let entry = this.#deflated.get(flavor);
    if (entry?.consensus !== consensus) {
      const body = documentBytes(consensus.text);
      entry = { consensus, body, deflated: deflate(body) };
      this.#deflated.set(flavor, entry);
    }
    return {
      status: 200,
      reason: 'OK',
      body: entry.body,
      deflated: entry.deflated,
      shared: true,
      lastModifiedMs: consensus.validAfterMs,
      expiresMs: consensus.freshUntilMs,
    };
  }

  #texts(path: string, texts: readonly string[]): DirectoryAnswer {
    return this.#remembered.answer(path, texts);
  }

  #keys(by: string | undefined, tail: string): readonly string[] {
    const all = this.#documents.certificates();
    if (by === 'all' || by === 'authority') return all.map(each => each.text);
    const match = keyMatchers.get(by ?? '');
    if (match === undefined) return [];
    const names = tail.toLowerCase().split('+').slice(0, requestedMax);
    return all.filter(each => names.some(name => match(each, name))).map(each => each.text);
  }

  #microdescriptors(tail: string): readonly string[] {
    const found: string[] = [];
    for (const name of new Set(tail.split('-').slice(0, requestedMax))) {
      const digest = fromBase64(name);
      const text = digest?.length === 32 ? this.#documents.microdescriptor(toHex(digest)) : undefined;
      if (text !== undefined) found.push(text);
    }
    return found;
  }

  #descriptors(by: string | undefined, tail: string): readonly string[] {
    const documents = this.#documents;
    if (by === 'all') return [...documents.descriptors()];
    if (by === 'authority') return [documents.ownDescriptor()].filter(text => text !== undefined);
    if (by !== 'd' && by !== 'fp') return [];
    const found: string[] = [];
    for (const name of new Set(tail.toLowerCase().split('+').slice(0, requestedMax))) {
      const text = by === 'd' ? documents.descriptor(name) : documents.descriptorOf(name);
      if (text !== undefined) found.push(text);
    }
    return found;
  }
}

const flavors: ReadonlyMap<string, ConsensusFlavor> = new Map([
  ['consensus', 'ns'],
  ['consensus-ns', 'ns'],
  ['consensus-microdesc', 'microdesc'],
]);

const keyMatchers: ReadonlyMap<string, (certificate: AuthorityCertificate, name: string) => boolean> =
  new Map([
    ['fp', (certificate, name) => toHex(certificate.v3Ident) === name],
    ['sk', (certificate, name) => toHex(certificate.signingKeyDigest) === name],
    [
      'fp-sk',
      (certificate, name) => `${toHex(certificate.v3Ident)}-${toHex(certificate.signingKeyDigest)}` === name,
    ],
  ]);

/** More than half of the authorities that the asker trusts, named by prefixes of their identities, must have signed. */
function isSignedFor(consensus: Consensus, wanted: string): boolean {
  const prefixes = wanted.toLowerCase().split('+').slice(0, requestedMax);
  if (prefixes.some(prefix => fromHex(prefix) === undefined)) return false;
  const signers = consensus.signatures.map(signature => toHex(signature.v3Ident));
  const signed = prefixes.filter(prefix => signers.some(signer => signer.startsWith(prefix)));
  return signed.length * 2 > prefixes.length;
}
