import { fromHex } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { consensusBytesMax, consensusRelaysMax } from '../base/limits.ts';
import { sha1, sha256 } from '../crypto/sha.ts';
import { parseDocumentTime } from './calendar.ts';
import { type ConsensusEntry, type ConsensusFlavor, readEntry } from './consensus-entry.ts';
import {
  argumentsOf,
  type DocumentFault,
  type DocumentLine,
  documentBytes,
  LineIndex,
  parseLines,
} from './document-lines.ts';
import { parseCount, parsePort } from './endpoint-text.ts';

/** One authority's signature under a consensus. */
export interface ConsensusSignature {
  readonly algorithm: 'sha1' | 'sha256';
  /** v3 identity, SHA-1 of the identity key's PKCS#1 DER: 20 bytes. */
  readonly v3Ident: Uint8Array;
  /** SHA-1 of the signing key. */
  readonly signingKeyDigest: Uint8Array;
  readonly signature: Uint8Array;
}

/** An authority as the consensus presents it. */
export interface ConsensusAuthority {
  readonly nickname: string;
  readonly v3Ident: Uint8Array;
  readonly hostname: string;
  readonly address: string;
  readonly dirPort: number;
  readonly orPort: number;
  readonly contact: string;
  readonly voteDigest: Uint8Array;
}

/** The list of relays that authorities signed. spec: dir-spec/consensus-formats */
export interface Consensus {
  readonly flavor: ConsensusFlavor;
  readonly method: number;
  readonly validAfterMs: number;
  readonly freshUntilMs: number;
  readonly validUntilMs: number;
  /** Seconds for votes, seconds for signatures. */
  readonly votingDelay: readonly [number, number];
  readonly knownFlags: readonly string[];
  readonly params: ReadonlyMap<string, number>;
  readonly authorities: readonly ConsensusAuthority[];
  /** Sorted by RSA identity. */
  readonly relays: readonly ConsensusEntry[];
  readonly bandwidthWeights: ReadonlyMap<string, number>;
  readonly signatures: readonly ConsensusSignature[];
  /** Over all that is signed: SHA-1, 20 bytes. */
  readonly sha1Digest: Uint8Array;
  /** Over all that is signed: SHA-256, 32 bytes. */
  readonly sha256Digest: Uint8Array;
  readonly text: string;
}

export type ConsensusFault = DocumentFault | Fault<'CONSENSUS_BAD'>;

const authoritiesMax = 64;
const signaturesMax = 128;
const paramsMax = 500;

const bad = (detail: string) => fail('CONSENSUS_BAD', detail);

export function parseConsensus(text: string): Result<Consensus, ConsensusFault> {
  const lines = parseLines(text, consensusBytesMax);
  if (!lines.ok) return lines;
  const parts = splitParts(lines.value);
  if (parts === undefined) return bad('parts out of order');
  const flavor = flavorOf(lines.value[0]);
  if (flavor === undefined) return bad('network-status-version');
  const head = readHead(parts.preamble);
  if (!head.ok) return head;
  const relays: ConsensusEntry[] = [];
  for (const lines of parts.entries) {
    const entry = readEntry(lines, flavor);
    if (typeof entry === 'string') return bad(`router entry: ${entry}`);
    const last = relays.at(-1);
    // spec: dir-spec/consensus-formats: entries are sorted by identity, and an identity stands once
    if (last !== undefined && Buffer.compare(last.rsaId, entry.rsaId) >= 0)
      return bad('router entries unsorted');
    relays.push(entry);
  }
  const authorities = readAuthorities(parts.authorities);
  if (authorities === undefined) return bad('dir-source');
  const signatures = readSignatures(parts.footer);
  if (signatures === undefined) return bad('directory-signature');
  const weightsLine = new LineIndex(parts.footer).all('bandwidth-weights')[0];
  const bandwidthWeights = weightsLine === undefined ? new Map() : readNumbers(weightsLine);
  if (bandwidthWeights === undefined) return bad('bandwidth-weights');
  const signed = documentBytes(signedText(text));
  return ok({
    flavor,
    ...head.value,
    authorities,
    relays,
    bandwidthWeights,
    signatures,
    sha1Digest: sha1(signed),
    sha256Digest: sha256(signed),
    text,
  });
}

/** All from the first byte through the space behind the first `directory-signature`. */
export function signedText(text: string): string {
  const at = text.indexOf('\ndirectory-signature ');
  return at < 0 ? text : text.slice(0, at + 21);
}

/** The digest that signatures of this algorithm sign. */
export function consensusDigest(consensus: Consensus, algorithm: 'sha1' | 'sha256'): Uint8Array {
  return algorithm === 'sha1' ? consensus.sha1Digest : consensus.sha256Digest;
}

interface Parts {
  readonly preamble: readonly DocumentLine[];
  readonly authorities: readonly (readonly DocumentLine[])[];
  readonly entries: readonly (readonly DocumentLine[])[];
  readonly footer: readonly DocumentLine[];
}

/** Preamble, then authorities (`dir-source`), then routers (`r`), then the footer: each line opens or extends a group. */
function splitParts(lines: readonly DocumentLine[]): Parts | undefined {
  const groups = { preamble: [] as DocumentLine[], footer: [] as DocumentLine[] };
  const authorities: DocumentLine[][] = [];
  const entries: DocumentLine[][] = [];
  let group = groups.preamble;
  for (const line of lines) {
    if (line.keyword === 'dir-source') {
      if (entries.length > 0 || group === groups.footer || authorities.length === authoritiesMax)
        return undefined;
      authorities.push((group = []));
    } else if (line.keyword === 'r') {
      if (group === groups.footer || entries.length === consensusRelaysMax) return undefined;
      entries.push((group = []));
    } else if (line.keyword === 'directory-footer' || line.keyword === 'directory-signature') {
      group = groups.footer;
    }
    group.push(line);
  }
  return { ...groups, authorities, entries };
}

function flavorOf(first: DocumentLine | undefined): ConsensusFlavor | undefined {
  if (first?.keyword !== 'network-status-version') return undefined;
  const [version, flavor] = argumentsOf(first);
  if (version !== '3') return undefined;
  if (flavor === undefined || flavor === 'ns') return 'ns';
  return flavor === 'microdesc' ? flavor : undefined;
}

type Head = Pick<
  Consensus,
  'method' | 'validAfterMs' | 'freshUntilMs' | 'validUntilMs' | 'votingDelay' | 'knownFlags' | 'params'
>;

function readHead(lines: readonly DocumentLine[]): Result<Head, ConsensusFault> {
  const index = new LineIndex(lines);
  if (index.one('vote-status')?.rest !== 'consensus') return bad('vote-status');
  const method = parseCount(index.one('consensus-method')?.rest);
  if (method === undefined) return bad('consensus-method');
  const time = (keyword: string) => parseDocumentTime(index.one(keyword)?.rest ?? '');
  const validAfterMs = time('valid-after');
  const freshUntilMs = time('fresh-until');
  const validUntilMs = time('valid-until');
  if (validAfterMs === undefined || freshUntilMs === undefined || validUntilMs === undefined)
    return bad('times');
  if (validAfterMs >= freshUntilMs || freshUntilMs >= validUntilMs) return bad('times out of order');
  const delayLine = index.one('voting-delay');
  const delays = delayLine === undefined ? [] : argumentsOf(delayLine).map(parseCount);
  if (delays[0] === undefined || delays[1] === undefined) return bad('voting-delay');
  const flagsLine = index.one('known-flags');
  if (flagsLine === undefined) return bad('known-flags');
  const paramsLine = index.all('params')[0];
  const params = paramsLine === undefined ? new Map<string, number>() : readNumbers(paramsLine);
  if (params === undefined || params.size > paramsMax) return bad('params');
  return ok({
    method,
    validAfterMs,
    freshUntilMs,
    validUntilMs,
    votingDelay: [delays[0], delays[1]],
    knownFlags: argumentsOf(flagsLine),
    params,
  });
}

/** `name=number` pairs; the numbers are signed 32-bit. A Map, since names come from a peer. */
function readNumbers(line: DocumentLine): Map<string, number> | undefined {
  const numbers = new Map<string, number>();
  for (const pair of argumentsOf(line)) {
    const match = /^([^=]{1,200})=(-?[0-9]{1,10})$/.exec(pair);
    const value = Number(match?.[2]);
    if (match === null || value < -(2 ** 31) || value > 2 ** 31 - 1 || numbers.has(match[1]))
      return undefined;
    numbers.set(match[1], value);
  }
  return numbers;
}

function readAuthorities(
  groups: readonly (readonly DocumentLine[])[],
): readonly ConsensusAuthority[] | undefined {
  const authorities: ConsensusAuthority[] = [];
  for (const lines of groups) {
    const index = new LineIndex(lines);
    const [nickname, ident, hostname, address, dirPortText, orPortText] = argumentsOf(lines[0]);
    const v3Ident = fromHex(ident ?? '');
    const dirPort = parsePort(dirPortText ?? '');
    const orPort = parsePort(orPortText ?? '');
    const voteDigest = fromHex(index.one('vote-digest')?.rest ?? '') ?? new Uint8Array();
    if (v3Ident?.length !== 20 || dirPort === undefined || orPort === undefined) return undefined;
    const contact = index.one('contact')?.rest ?? '';
    authorities.push({ nickname, v3Ident, hostname, address, dirPort, orPort, contact, voteDigest });
  }
  return authorities;
}

function readSignatures(footer: readonly DocumentLine[]): readonly ConsensusSignature[] | undefined {
  const lines = footer.filter(line => line.keyword === 'directory-signature');
  if (lines.length > signaturesMax) return undefined;
  const signatures: ConsensusSignature[] = [];
  for (const line of lines) {
    const words = argumentsOf(line);
    const algorithm = words.length >= 3 ? words[0] : 'sha1';
    const [ident, keyDigest] = words.length >= 3 ? words.slice(1) : words;
    const v3Ident = fromHex(ident ?? '');
    const signingKeyDigest = fromHex(keyDigest ?? '');
    if (v3Ident?.length !== 20 || signingKeyDigest?.length !== 20) return undefined;
    if (line.object?.label !== 'SIGNATURE') return undefined;
    // spec: dir-spec/consensus-formats: signatures by algorithms that we do not know are passed over
    if (algorithm !== 'sha1' && algorithm !== 'sha256') continue;
    signatures.push({ algorithm, v3Ident, signingKeyDigest, signature: line.object.bytes });
  }
  return signatures;
}

/** What clients ask of a consensus' age. spec: dir-spec/client-operation (reasonably live: a day past its end) */
export function isReasonablyLive(consensus: Consensus, wallMs: number): boolean {
  const slackMs = 24 * 3_600_000;
  return wallMs >= consensus.validAfterMs - slackMs && wallMs <= consensus.validUntilMs + slackMs;
}
