import { toHex } from '../base/bytes.ts';
import { bandwidthTotals, computeBandwidthWeights } from './bandwidth-weights.ts';
import type { ConsensusAuthority } from './consensus.ts';
import type { ConsensusFlavor } from './consensus-entry.ts';
import { type ConsensusEntry, formatEntry } from './consensus-entry.ts';
import type { ConsensusMethod } from './consensus-method.ts';
import {
  formatAuthority,
  formatNumbers,
  formatRules,
  formatTimes,
  type StatusHead,
} from './status-document.ts';

/** All that a consensus says: its text follows from this alone, so authorities that agree on it sign the same bytes. */
export interface ConsensusFacts extends StatusHead {
  readonly method: ConsensusMethod;
  /** Versions of C tor that are good to run. */
  readonly clientVersions: readonly string[];
  readonly serverVersions: readonly string[];
  readonly previousRandom: string | undefined;
  readonly currentRandom: string | undefined;
  readonly authorities: readonly ConsensusAuthority[];
  /** In any order; an identity stands once. */
  readonly relays: readonly ConsensusEntry[];
}

/** Everything that is signed: ends with `directory-signature` and its space. */
export function formatConsensus(facts: ConsensusFacts, flavor: ConsensusFlavor): string {
  const relays = [...facts.relays].sort((a, b) => Buffer.compare(a.rsaId, b.rsaId));
  const weights = computeBandwidthWeights(bandwidthTotals(relays));
  const parts = [
    `network-status-version 3${flavor === 'ns' ? '' : ` ${flavor}`}\n`,
    'vote-status consensus\n',
    `consensus-method ${facts.method}\n`,
    formatTimes(facts),
    `voting-delay ${facts.votingDelay.join(' ')}\n`,
    `client-versions ${facts.clientVersions.join(',')}\n`,
    `server-versions ${facts.serverVersions.join(',')}\n`,
    formatRules(facts),
    facts.previousRandom === undefined ? '' : `shared-rand-previous-value ${facts.previousRandom}\n`,
    facts.currentRandom === undefined ? '' : `shared-rand-current-value ${facts.currentRandom}\n`,
    ...[...facts.authorities].sort((a, b) => Buffer.compare(a.v3Ident, b.v3Ident)).map(formatVoter),
    // Without a microdescriptor a relay is of no use to those who read them.
    ...relays
      .filter(relay => flavor === 'ns' || relay.microdescriptorDigest !== undefined)
      .map(relay => formatEntry(relay, flavor)),
    'directory-footer\n',
    weights.size === 0 ? '' : `bandwidth-weights ${formatNumbers(weights)}\n`,
    'directory-signature ',
  ];
  return parts.join('');
}

function formatVoter(authority: ConsensusAuthority): string {
  return `${formatAuthority(authority)}vote-digest ${toHex(authority.voteDigest).toUpperCase()}\n`;
}
