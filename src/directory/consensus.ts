import { fromHex } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { consensusBytesMax } from '../base/limits.ts';
import { sha1, sha256 } from '../crypto/sha.ts';
import { type ConsensusEntry, type ConsensusFlavor, readEntry } from './consensus-entry.ts';
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
  headOnceOnly,
  readAuthority,
  readHead,
  readNumbers,
  readRelays,
  readSignatures,
  type StatusAuthority,
  type StatusHead,
  type StatusSignature,
  signedText,
  splitStatusDocument,
} from './status-document.ts';

/** An authority of whose vote a consensus was made. */
export interface ConsensusAuthority extends StatusAuthority {
  /** SHA-1 of what the vote's signature signs. */
  readonly voteDigest: Uint8Array;
}

/** The list of relays that authorities signed. spec: dir-spec/consensus-formats */
export interface Consensus extends StatusHead {
  readonly flavor: ConsensusFlavor;
  readonly method: number;
  readonly authorities: readonly ConsensusAuthority[];
  /** Sorted by RSA identity. */
  readonly relays: readonly ConsensusEntry[];
  readonly bandwidthWeights: ReadonlyMap<string, number>;
  readonly signatures: readonly StatusSignature[];
  /** Over all that is signed: SHA-1, 20 bytes. */
  readonly sha1Digest: Uint8Array;
  /** Over all that is signed: SHA-256, 32 bytes. */
  readonly sha256Digest: Uint8Array;
  readonly text: string;
}

export type ConsensusFault = DocumentFault | Fault<'CONSENSUS_BAD'>;

const bad = (detail: string) => fail('CONSENSUS_BAD', detail);

const onceOnly = ['network-status-version', 'vote-status', 'consensus-method', ...headOnceOnly];

export function parseConsensus(text: string): Result<Consensus, ConsensusFault> {
  const lines = parseLines(text, consensusBytesMax);
  if (!lines.ok) return lines;
  const parts = splitStatusDocument(lines.value);
  if (parts === undefined) return bad('parts out of order');
  const flavor = flavorOf(lines.value[0]);
  if (flavor === undefined) return bad('network-status-version');
  const preamble = new LineIndex(parts.preamble);
  const footer = new LineIndex(parts.footer);
  const repeated = preamble.repeats(onceOnly) ?? footer.repeats(['directory-footer', 'bandwidth-weights']);
  if (repeated !== undefined) return bad(`${repeated} stands twice`);
  const status = preamble.one('vote-status');
  if (status === undefined || argumentsOf(status)[0] !== 'consensus') return bad('vote-status');
  const method = parseCount(preamble.one('consensus-method')?.rest);
  if (method === undefined) return bad('consensus-method');
  const head = readHead(preamble);
  if (typeof head === 'string') return bad(head);
  const relays = readRelays(parts.entries, lines => readEntry(lines, flavor));
  if (typeof relays === 'string') return bad(relays);
  const authorities = readAuthorities(parts.authorities);
  if (authorities === undefined) return bad('dir-source');
  if (authorities.length === 0) return bad('dir-source');
  const signatures = readSignatures(footer.all('directory-signature'));
  if (signatures === undefined) return bad('directory-signature');
  const firstSignature = parts.footer.findIndex(({ keyword }) => keyword === 'directory-signature');
  if (parts.footer.slice(firstSignature).some(({ keyword }) => keyword !== 'directory-signature'))
    return bad('directory-signature comes last');
  const weightsLine = footer.one('bandwidth-weights');
  const bandwidthWeights = weightsLine === undefined ? new Map() : readNumbers(weightsLine);
  if (bandwidthWeights === undefined) return bad('bandwidth-weights');
  const signed = documentBytes(signedText(text));
  return ok({
    flavor,
    method,
    ...head,
    authorities,
    relays,
    bandwidthWeights,
    signatures,
    sha1Digest: sha1(signed),
    sha256Digest: sha256(signed),
    text,
  });
}

/** The digest that signatures of this algorithm sign. */
export function consensusDigest(consensus: Consensus, algorithm: 'sha1' | 'sha256'): Uint8Array {
  return algorithm === 'sha1' ? consensus.sha1Digest : consensus.sha256Digest;
}

function flavorOf(first: DocumentLine | undefined): ConsensusFlavor | undefined {
  if (first?.keyword !== 'network-status-version') return undefined;
  const [version, flavor] = argumentsOf(first);
  if (version !== '3') return undefined;
  if (flavor === undefined || flavor === 'ns') return 'ns';
  return flavor === 'microdesc' ? flavor : undefined;
}

function readAuthorities(
  groups: readonly (readonly DocumentLine[])[],
): readonly ConsensusAuthority[] | undefined {
  const authorities: ConsensusAuthority[] = [];
  for (const lines of groups) {
    const index = new LineIndex(lines);
    const authority = readAuthority(lines);
    const voteDigest = fromHex(index.one('vote-digest')?.rest ?? '');
    if (authority === undefined || voteDigest?.length !== 20 || index.one('contact') === undefined)
      return undefined;
    authorities.push({ ...authority, voteDigest });
  }
  return authorities;
}

/** What clients ask of a consensus' age. spec: dir-spec/client-operation (reasonably live: a day past its end) */
export function isReasonablyLive(
  consensus: Pick<Consensus, 'validAfterMs' | 'validUntilMs'>,
  wallMs: number,
): boolean {
  const slackMs = 24 * 3_600_000;
  return wallMs >= consensus.validAfterMs - slackMs && wallMs <= consensus.validUntilMs + slackMs;
}
