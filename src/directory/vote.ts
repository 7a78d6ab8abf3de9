import { equalBytes } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { voteBytesMax } from '../base/limits.ts';
import { rsaVerifyDigest } from '../crypto/rsa.ts';
import { sha1 } from '../crypto/sha.ts';
import { type AuthorityCertificate, parseAuthorityCertificate } from './authority-certificate.ts';
import { formatDocumentTime, parseDocumentTime } from './calendar.ts';
import { consensusMethods } from './consensus-method.ts';
import { type StatusSigner, signText } from './consensus-signatures.ts';
import {
  argumentsOf,
  type DocumentFault,
  type DocumentLine,
  documentBytes,
  LineIndex,
  parseLines,
} from './document-lines.ts';
import { parseCount } from './endpoint-text.ts';
import {
  formatAuthority,
  formatRules,
  formatSignature,
  formatTimes,
  headOnceOnly,
  readAuthority,
  readHead,
  readRelays,
  readSignatures,
  type StatusAuthority,
  type StatusHead,
  signedText,
  splitStatusDocument,
} from './status-document.ts';
import { formatVoteEntry, readVoteEntry, type VoteEntry } from './vote-entry.ts';

/** What one authority thinks of the network when a consensus is to be made. */
export interface VoteFacts extends StatusHead {
  readonly publishedMs: number;
  readonly authority: StatusAuthority;
  /** In any order; an identity stands once. */
  readonly relays: readonly VoteEntry[];
}

/** What C tor's authorities agree on besides, and ours have no opinion of. */
export interface VoteExtras {
  /** Versions of C tor that are good to run; undefined: no opinion. */
  readonly clientVersions: readonly string[] | undefined;
  readonly serverVersions: readonly string[] | undefined;
  /** Random values that nobody could choose, as their lines say them. spec: srv-spec */
  readonly previousRandom: string | undefined;
  readonly currentRandom: string | undefined;
}

/** A vote whose signature was verified; whether its authority is trusted is another matter. spec: dir-spec/vote-formats */
export interface Vote extends VoteFacts, VoteExtras {
  /** By which rules its authority can compute a consensus. */
  readonly methods: readonly number[];
  readonly certificate: AuthorityCertificate;
  /** SHA-1 of what is signed, 20 bytes. */
  readonly digest: Uint8Array;
  readonly text: string;
}

export type VoteFault = DocumentFault | Fault<'VOTE_BAD' | 'VOTE_BAD_SIGNATURE'>;

const bad = (detail: string) => fail('VOTE_BAD', detail);

const methodsMax = 100;
/** What follows the entries, its signature by a key of at most 4,096 bits included. */
const footerBytesMax = 2_048;
/** Of one vote; a consensus has those of all, so there is no such bound for it. C tor: MAX_KNOWN_FLAGS_IN_VOTE. */
const flagsMax = 64;
const paramsMax = 500;

export function buildVote(facts: VoteFacts, certificate: AuthorityCertificate, signer: StatusSigner): string {
  const head = [
    'network-status-version 3\n',
    'vote-status vote\n',
    `consensus-methods ${consensusMethods.join(' ')}\n`,
    `published ${formatDocumentTime(facts.publishedMs)}\n`,
    formatTimes(facts),
    `voting-delay ${facts.votingDelay.join(' ')}\n`,
    formatRules(facts),
    formatAuthority(facts.authority),
    certificate.text,
  ].join('');
  const entries = fitting(facts.relays, voteBytesMax - head.length - footerBytesMax);
  const body = `${head}${entries.join('')}directory-footer\n`;
  const signature = signText(`${body}directory-signature `, 'sha1', signer);
  return body + formatSignature('directory-signature', signature);
}

/**
 * The entries by identity, as many as there is room for: descriptors cost nothing, so those of relays that do not run, which no
 * consensus lists, are left out first.
 */
function fitting(relays: readonly VoteEntry[], bytesMax: number): string[] {
  const rank = ({ flags }: VoteEntry): number => (flags.has('Running') ? 0 : 1);
  const ranked = relays.map(relay => ({ relay, text: formatVoteEntry(relay) }));
  ranked.sort((a, b) => rank(a.relay) - rank(b.relay));
  let left = bytesMax;
  const kept = ranked.filter(({ text }) => (left -= text.length) >= 0);
  return kept.sort((a, b) => Buffer.compare(a.relay.rsaId, b.relay.rsaId)).map(({ text }) => text);
}

/** Parses one vote, all of `text`, and verifies its certificate and its signature. */
export function parseVote(text: string): Result<Vote, VoteFault> {
  const lines = parseLines(text, voteBytesMax);
  if (!lines.ok) return lines;
  const [first] = lines.value;
  if (first?.keyword !== 'network-status-version' || first.rest !== '3') return bad('network-status-version');
  const parts = splitStatusDocument(lines.value);
  if (parts === undefined) return bad('parts out of order');
  const preamble = new LineIndex(parts.preamble);
  const status = preamble.one('vote-status');
  if (status === undefined || argumentsOf(status)[0] !== 'vote') return bad('vote-status');
  const repeated = preamble.repeats(headOnceOnly);
  if (repeated !== undefined) return bad(`${repeated} stands twice`);
  const methods = readMethods(preamble.one('consensus-methods'));
  if (methods === undefined) return bad('consensus-methods');
  const publishedMs = parseDocumentTime(preamble.one('published')?.rest ?? '');
  if (publishedMs === undefined) return bad('published');
  const head = readHead(preamble);
  if (typeof head === 'string') return bad(head);
  if (head.knownFlags.length > flagsMax) return bad('known-flags');
  if (head.params.size > paramsMax) return bad('params');
  if (parts.authorities.length !== 1) return bad('dir-source');
  const [section] = parts.authorities;
  if (new LineIndex(section).one('contact') === undefined) return bad('contact');
  if (new LineIndex(parts.footer).repeats(['directory-footer']) !== undefined)
    return bad('directory-footer stands twice');
  const authority = readAuthority(section);
  if (authority === undefined) return bad('dir-source');
  const relays = readRelays(parts.entries, readVoteEntry);
  if (typeof relays === 'string') return bad(relays);
  if (relays.some(relay => ![...relay.flags].every(flag => head.knownFlags.includes(flag))))
    return bad('a flag that is not in known-flags');
  const certificate = readCertificate(text, section);
  if (certificate === undefined || !equalBytes(certificate.v3Ident, authority.v3Ident))
    return bad('certificate');
  const digest = sha1(documentBytes(signedText(text)));
  if (!isSigned(parts.footer, certificate, digest)) return fail('VOTE_BAD_SIGNATURE');
  const extras = readExtras(preamble, new LineIndex(section));
  return ok({ ...head, ...extras, methods, publishedMs, authority, relays, certificate, digest, text });
}

function readMethods(line: DocumentLine | undefined): readonly number[] | undefined {
  const words = line === undefined ? [] : argumentsOf(line);
  const methods = words.flatMap(word => parseCount(word) ?? []);
  return words.length > 0 && words.length <= methodsMax && methods.length === words.length
    ? methods
    : undefined;
}

function readExtras(preamble: LineIndex, section: LineIndex): VoteExtras {
  const versions = (keyword: string): readonly string[] | undefined => {
    const text = preamble.one(keyword)?.rest;
    return text === undefined ? undefined : [...new Set(text.split(/[, ]+/).filter(each => each !== ''))];
  };
  const random = (keyword: string): string | undefined => {
    const text = section.one(keyword)?.rest ?? '';
    const counts = section.one('shared-rand-participate') !== undefined;
    return counts && /^[0-9]{1,5} [A-Za-z0-9+/]{43}=$/.test(text) ? text : undefined;
  };
  return {
    clientVersions: versions('client-versions'),
    serverVersions: versions('server-versions'),
    previousRandom: random('shared-rand-previous-value'),
    currentRandom: random('shared-rand-current-value'),
  };
}

/** The certificate stands whole behind the line that names the authority. */
function readCertificate(text: string, section: readonly DocumentLine[]): AuthorityCertificate | undefined {
  const index = new LineIndex(section);
  const first = index.one('dir-key-certificate-version');
  const last = index.one('dir-key-certification');
  if (first === undefined || last === undefined) return undefined;
  const parsed = parseAuthorityCertificate(text.slice(first.start, last.end));
  return parsed.ok ? parsed.value : undefined;
}

function isSigned(
  footer: readonly DocumentLine[],
  { v3Ident, signingKey, signingKeyDigest }: AuthorityCertificate,
  digest: Uint8Array,
): boolean {
  const signatures = readSignatures(new LineIndex(footer).all('directory-signature'));
  if (signatures?.length !== 1) return false;
  const [made] = signatures;
  return (
    made.algorithm === 'sha1' &&
    equalBytes(made.v3Ident, v3Ident) &&
    equalBytes(made.signingKeyDigest, signingKeyDigest) &&
    rsaVerifyDigest(signingKey, digest, made.signature)
  );
}

/** Cuts votes that follow each other. */
export function splitVotes(text: string, countMax: number): string[] {
  const head = 'network-status-version ';
  const pieces: string[] = [];
  let at = text.startsWith(head) ? 0 : -1;
  while (at >= 0 && pieces.length < countMax) {
    const next = text.indexOf(`\n${head}`, at);
    pieces.push(text.slice(at, next < 0 ? text.length : next + 1));
    at = next < 0 ? -1 : next + 1;
  }
  return pieces;
}
