import { toHex } from '../base/bytes.ts';
import { sha256 } from '../crypto/sha.ts';
import { summarisePolicy } from './address-policy.ts';
import { type ConsensusMethod, consensusMethods } from './consensus-method.ts';
import { documentBytes } from './document-lines.ts';
import { allowsPort } from './port-policy.ts';
import { microdescriptorOf, type ServerDescriptor, versionOf } from './server-descriptor.ts';
import type { VoteEntry } from './vote-entry.ts';

/** What an authority knows of one relay when it votes. */
export interface RelayStanding {
  readonly descriptor: ServerDescriptor;
  readonly running: boolean;
  /** kB/s, if somebody measured it. */
  readonly measuredKBps: number | undefined;
  /** This relay is an authority itself. */
  readonly authority: boolean;
}

export interface FlagRules {
  /** A lab has no history: every running relay counts as stable and as a guard. */
  readonly lab: boolean;
  /** kB/s that an unmeasured relay may claim at most. */
  readonly unmeasuredKBpsMax: number;
  /** Uptime that makes a relay stable. */
  readonly stableSeconds: number;
  /** kB/s above which a relay is fast whatever the others are. */
  readonly fastKBps: number;
  /** Relays at one address that get flags; 0: all do. torrc AuthDirMaxServersPerAddr */
  readonly perAddressMax: number;
}

/** What C tor's authorities ask of relays. */
export const publicFlagRules: FlagRules = {
  lab: false,
  unmeasuredKBpsMax: 20,
  stableSeconds: 5 * 86_400,
  fastKBps: 100,
  perAddressMax: 2,
};

/** In a lab nobody measures, so what a relay says of itself counts up to 10 GB/s, and all share one machine. */
export const labFlagRules: FlagRules = {
  lab: true,
  unmeasuredKBpsMax: 10_000_000,
  stableSeconds: 0,
  fastKBps: 0,
  perAddressMax: 0,
};

/** Flags that are voted on, sorted. */
export const knownFlags = ['Authority', 'Exit', 'Fast', 'Guard', 'Running', 'Stable', 'V2Dir', 'Valid'];

/**
 * What an authority votes of each relay: a pure function of what it knows of them, so that equal knowledge gives equal
 * bytes. spec: dir-spec/assigning-flags-vote
 */
export function voteEntries(standings: readonly RelayStanding[], rules: FlagRules): VoteEntry[] {
  const crowd = crowding(standings, rules);
  const running = standings.filter(standing => runs(standing) && !crowd.has(standing));
  const uptimes = sorted(running.map(each => each.descriptor.uptimeSeconds));
  const bandwidths = sorted(running.map(bandwidthOf(rules)));
  const medianUptime = middle(uptimes);
  // The slowest eighth is not fast.
  const fastFrom = bandwidths[Math.floor(bandwidths.length / 8)] ?? 0;
  const medianBandwidth = middle(bandwidths);
  const entries = standings.map(standing => {
    const { descriptor } = standing;
    const bandwidth = bandwidthOf(rules)(standing);
    const exitPolicy = summarisePolicy(descriptor.exitPolicy);
    const flags = new Set(['Valid']);
    if (runs(standing)) flags.add('Running');
    if (standing.authority) flags.add('Authority');
    if (allowsPort(exitPolicy, 80) && allowsPort(exitPolicy, 443)) flags.add('Exit');
    if (descriptor.servesDirectory) flags.add('V2Dir');
    const { uptimeSeconds } = descriptor;
    const stable = rules.lab || uptimeSeconds >= Math.min(medianUptime, rules.stableSeconds);
    const fast = rules.lab || bandwidth >= fastFrom || bandwidth >= rules.fastKBps;
    if (stable) flags.add('Stable');
    if (fast) flags.add('Fast');
    const guard = rules.lab || bandwidth >= Math.min(medianBandwidth, 2_000);
    // An authority has other work than being a client's guard.
    if (stable && fast && guard && descriptor.servesDirectory && !standing.authority) flags.add('Guard');
    return {
      nickname: descriptor.nickname,
      rsaId: descriptor.rsaId,
      ed25519: descriptor.ed25519,
      publishedMs: descriptor.publishedMs,
      address: descriptor.address,
      ipv6: descriptor.ipv6,
      dirPort: descriptor.dirPort,
      descriptorDigest: descriptor.digest,
      microdescriptorDigests: new Map(microdescriptorDigests(descriptor)),
      flags: crowd.has(standing) ? new Set<string>() : flags,
      version: versionOf(descriptor.platform),
      protocols: descriptor.protocols,
      bandwidth,
      measured: standing.measuredKBps,
      exitPolicy,
      price: descriptor.price,
    };
  });
  return entries.sort((a, b) => (toHex(a.rsaId) < toHex(b.rsaId) ? -1 : 1));
}

/**
 * The relays beyond those that one address may have, else whoever rents one machine is as many relays as it likes. The most useful
 * ones keep their flags. spec: dir-spec/assigning-flags-vote (Sybil); the order is C tor's.
 */
function crowding(standings: readonly RelayStanding[], rules: FlagRules): ReadonlySet<RelayStanding> {
  const crowd = new Set<RelayStanding>();
  if (rules.perAddressMax === 0) return crowd;
  const speed = bandwidthOf(rules);
  const byUse = [...standings].sort(
    (a, b) =>
      Number(b.authority) - Number(a.authority) ||
      Number(runs(b)) - Number(runs(a)) ||
      speed(b) - speed(a) ||
      Buffer.compare(a.descriptor.rsaId, b.descriptor.rsaId),
  );
  const counts = new Map<string, number>();
  for (const standing of byUse) {
    const { address, ipv6 } = standing.descriptor;
    for (const { host } of ipv6 === undefined ? [address] : [address, ipv6]) {
      const count = (counts.get(host) ?? 0) + 1;
      counts.set(host, count);
      if (count > rules.perAddressMax) crowd.add(standing);
    }
  }
  return crowd;
}

function microdescriptorDigests(descriptor: ServerDescriptor): [ConsensusMethod, Uint8Array][] {
  return consensusMethods.flatMap(method => {
    const text = microdescriptorOf(descriptor, method);
    return text === undefined ? [] : [[method, sha256(documentBytes(text))]];
  });
}

/** A relay that hibernates is there, but of no use. */
function runs({ running, descriptor }: RelayStanding): boolean {
  return running && !descriptor.hibernating;
}

/** Measured where it was; else the least of what the relay allows and has seen, up to a cap. In kB/s, at least 1. */
function bandwidthOf(rules: FlagRules): (standing: RelayStanding) => number {
  return ({ descriptor, measuredKBps }) => {
    if (measuredKBps !== undefined) return Math.max(1, measuredKBps);
    const { rate, burst, observed } = descriptor.bandwidth;
    const said = Math.floor(Math.min(rate, burst, observed) / 1000);
    return Math.min(Math.max(said, 1), rules.unmeasuredKBpsMax);
  };
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}

function middle(numbers: readonly number[]): number {
  return numbers[Math.floor(numbers.length / 2)] ?? 0;
}
