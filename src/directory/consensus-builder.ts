import { toHex } from '../base/bytes.ts';
import { bandwidthTotals, computeBandwidthWeights } from './bandwidth-weights.ts';
import type { ConsensusAuthority } from './consensus.ts';
import type { ConsensusFlavor } from './consensus-entry.ts';
import { type ConsensusEntry, formatEntry } from './consensus-entry.ts';
import {
  formatAuthority,
  formatNumbers,
  formatRules,
  formatTimes,
  type StatusHead,
} from './status-document.ts';

/** All that a consensus says: its text follows from this alone, so authorities that agree on it sign the same bytes. */
export interface ConsensusFacts extends StatusHead {
  readonly authorities: readonly ConsensusAuthority[];
  /** In any order; an identity stands once. */
  readonly relays: readonly ConsensusEntry[];
}

/** The newest consensus method whose rules naulon keeps. spec: dir-spec/computing-consensus */
export const consensusMethod = 33;

/** Everything that is signed: ends with `directory-signature` and its space. */
export function formatConsensus(facts: ConsensusFacts, flavor: ConsensusFlavor): string {
  const relays = [...facts.relays].sort((a, b) => Buffer.compare(a.rsaId, b.rsaId));
  const weights = computeBandwidthWeights(bandwidthTotals(relays));
  const parts = [
    `network-status-version 3${flavor === 'ns' ? '' : ` ${flavor}`}\n`,
    'vote-status consensus\n',
    `consensus-method ${consensusMethod}\n`,
    formatTimes(facts),
    `voting-delay ${facts.votingDelay.join(' ')}\n`,
    'client-versions \n',
    'server-versions \n',
    formatRules(facts),
    ...[...facts.authorities].sort((a, b) => Buffer.compare(a.v3Ident, b.v3Ident)).map(formatVoter),
    ...relays.map(relay => formatEntry(relay, flavor)),
    'directory-footer\n',
    weights.size === 0 ? '' : `bandwidth-weights ${formatNumbers(weights)}\n`,
    'directory-signature ',
  ];
  return parts.join('');
}

function formatVoter(authority: ConsensusAuthority): string {
  return `${formatAuthority(authority)}vote-digest ${toHex(authority.voteDigest).toUpperCase()}\n`;
}
