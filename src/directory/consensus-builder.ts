import { toHex } from '../base/bytes.ts';
import type { RsaKey } from '../crypto/rsa.ts';
import { sha1, sha256 } from '../crypto/sha.ts';
import { bandwidthTotals, computeBandwidthWeights } from './bandwidth-weights.ts';
import { formatDocumentTime } from './calendar.ts';
import type { Consensus, ConsensusAuthority } from './consensus.ts';
import type { ConsensusFlavor } from './consensus-entry.ts';
import { type ConsensusEntry, formatEntry } from './consensus-entry.ts';
import { documentBytes, formatObject } from './document-lines.ts';

/** All that a consensus says: its text follows from this alone, so authorities that agree on it sign the same bytes. */
export interface ConsensusFacts
  extends Pick<
    Consensus,
    'validAfterMs' | 'freshUntilMs' | 'validUntilMs' | 'votingDelay' | 'params' | 'authorities'
  > {
  /** In any order; an identity stands once. */
  readonly relays: readonly ConsensusEntry[];
}

/** The newest consensus method whose rules naulon keeps. spec: dir-spec/computing-consensus */
const consensusMethod = 33;

/** Flags that naulon's authorities know; the list is sorted. */
const knownFlags = ['Authority', 'Exit', 'Fast', 'Guard', 'Running', 'Stable', 'V2Dir', 'Valid'];

/** Everything that is signed: ends with `directory-signature` and its space. */
export function formatConsensus(facts: ConsensusFacts, flavor: ConsensusFlavor): string {
  const relays = [...facts.relays].sort((a, b) => Buffer.compare(a.rsaId, b.rsaId));
  const [voteSeconds, signSeconds] = facts.votingDelay;
  const weights = computeBandwidthWeights(bandwidthTotals(relays));
  const parts = [
    `network-status-version 3${flavor === 'ns' ? '' : ` ${flavor}`}\n`,
    'vote-status consensus\n',
    `consensus-method ${consensusMethod}\n`,
    `valid-after ${formatDocumentTime(facts.validAfterMs)}\n`,
    `fresh-until ${formatDocumentTime(facts.freshUntilMs)}\n`,
    `valid-until ${formatDocumentTime(facts.validUntilMs)}\n`,
    `voting-delay ${voteSeconds} ${signSeconds}\n`,
    'client-versions \n',
    'server-versions \n',
    `known-flags ${knownFlags.join(' ')}\n`,
    facts.params.size === 0 ? '' : `params ${formatNumbers(facts.params)}\n`,
    ...[...facts.authorities].sort((a, b) => Buffer.compare(a.v3Ident, b.v3Ident)).map(formatAuthority),
    ...relays.map(relay => formatEntry(relay, flavor)),
    'directory-footer\n',
    weights.size === 0 ? '' : `bandwidth-weights ${formatNumbers(weights)}\n`,
    'directory-signature ',
  ];
  return parts.join('');
}

/** One authority's signature, to stand behind the signed text. spec: dir-spec/consensus-formats (directory-signature) */
export interface ConsensusSigner {
  /** SHA-1 of the identity key, 20 bytes. */
  readonly v3Ident: Uint8Array;
  readonly signingKey: RsaKey;
}

/** The whole document with the signatures of `signers`. */
export function signConsensus(
  signed: string,
  flavor: ConsensusFlavor,
  signers: readonly ConsensusSigner[],
): string {
  const bytes = documentBytes(signed);
  // spec: dir-spec/consensus-formats: flavour ns signs SHA-1 and names no algorithm, for the sake of old clients
  const algorithm = flavor === 'ns' ? '' : 'sha256 ';
  const digest = flavor === 'ns' ? sha1(bytes) : sha256(bytes);
  const head = signed.slice(0, -'directory-signature '.length);
  return (
    head +
    signers
      .map(({ v3Ident, signingKey }) => {
        const names = `${toHex(v3Ident).toUpperCase()} ${toHex(signingKey.fingerprint).toUpperCase()}`;
        return `directory-signature ${algorithm}${names}\n${formatObject('SIGNATURE', signingKey.signDigest(digest))}`;
      })
      .join('')
  );
}

function formatAuthority(authority: ConsensusAuthority): string {
  const { nickname, v3Ident, hostname, address, dirPort, orPort, contact, voteDigest } = authority;
  const ident = toHex(v3Ident).toUpperCase();
  return [
    `dir-source ${nickname} ${ident} ${hostname} ${address} ${dirPort} ${orPort}\n`,
    `contact ${contact === '' ? 'none' : contact}\n`,
    `vote-digest ${toHex(voteDigest).toUpperCase()}\n`,
  ].join('');
}

/** Sorted by name, as the specification wants and C tor checks. */
function formatNumbers(numbers: ReadonlyMap<string, number>): string {
  return [...numbers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
