import { equalBytes, toHex } from '../base/bytes.ts';
import { type ConsensusEntry, formatRouter, noEdConsensus } from './consensus-entry.ts';
import { type ConsensusMethod, pricedMethod } from './consensus-method.ts';
import { formatEndpoint } from './endpoint-text.ts';
import { grouped, lowMedian, mostFrequent } from './opinions.ts';
import { formatPortPolicy } from './port-policy.ts';
import { formatPrice } from './price-line.ts';
import { formatProtocols } from './protocols.ts';
import { compareVersions } from './tor-version.ts';
import type { Vote } from './vote.ts';
import type { VoteEntry } from './vote-entry.ts';

/** Measurements of a relay that are enough whatever the others say. */
const enoughMeasure = 3;
/** kB/s. spec: dir-spec/computing-consensus (maxunmeasuredbw) */
const unmeasuredMaxDefault = 20;

/** What is said of one relay. */
interface Listing {
  readonly entries: readonly VoteEntry[];
  /** More than half of the authorities give it the same Ed25519 identity. */
  readonly ed25519Agreed: boolean;
}

/** The relays of a consensus, in no order. spec: dir-spec/computing-consensus */
export function agreedRelays(
  votes: readonly Vote[],
  authorities: number,
  method: ConsensusMethod,
  params: ReadonlyMap<string, number>,
): ConsensusEntry[] {
  const flagVoters = grouped(
    votes.flatMap(vote => vote.knownFlags),
    flag => flag,
  );
  const votersOn = (flag: string): number => flagVoters.get(flag)?.length ?? 0;
  const measuring = votes.filter(vote => vote.relays.some(relay => relay.measured !== undefined)).length;
  const unmeasuredMax =
    measuring >= enoughMeasure
      ? Math.max(params.get('maxunmeasuredbw') ?? unmeasuredMaxDefault, 1)
      : Infinity;
  const relays: ConsensusEntry[] = [];
  for (const listing of listings(votes, authorities)) {
    const flags = agreedFlags(listing, votersOn);
    if (!flags.has('Running') || !flags.has('Valid')) continue;
    const { entries } = listing;
    relays.push({ ...agreedFacts(entries, method), flags, ...agreedBandwidth(entries, unmeasuredMax) });
  }
  return relays;
}

/**
 * Both identities make the relay: where most agree on them, entries that name another Ed25519 identity do not mean this
 * relay. Where most know the RSA identity alone, all do.
 */
function listings(votes: readonly Vote[], authorities: number): Listing[] {
  const byRsaId = grouped(
    votes.flatMap(vote => vote.relays),
    relay => toHex(relay.rsaId),
  );
  return [...byRsaId.values()].flatMap((all): Listing[] => {
    const isMost = (entries: readonly VoteEntry[]): boolean => entries.length * 2 > authorities;
    const named = all.flatMap(({ ed25519 }) => ed25519 ?? []);
    const agreed = [...grouped(named, toHex).values()].find(same => same.length * 2 > authorities)?.[0];
    if (agreed === undefined) return isMost(all) ? [{ entries: all, ed25519Agreed: false }] : [];
    const entries = all.filter(({ ed25519 }) => ed25519 === undefined || equalBytes(ed25519, agreed));
    return [{ entries, ed25519Agreed: true }];
  });
}

/** A flag holds if more than half of the authorities that vote on it at all give it. */
function agreedFlags({ entries, ed25519Agreed }: Listing, votersOn: (flag: string) => number): Set<string> {
  const given = grouped(
    entries.flatMap(entry => [...entry.flags]),
    flag => flag,
  );
  const flags = new Set<string>();
  for (const [flag, all] of given) if (all.length * 2 > votersOn(flag)) flags.add(flag);
  // Nobody votes on it: it follows from the votes.
  flags.delete(noEdConsensus);
  if (!ed25519Agreed) flags.add(noEdConsensus);
  if (flags.has('MiddleOnly')) {
    for (const flag of ['Exit', 'Guard', 'HSDir', 'V2Dir']) flags.delete(flag);
    if (votersOn('BadExit') > 0) flags.add('BadExit');
  }
  return new Set([...flags].sort());
}

function agreedBandwidth(
  entries: readonly VoteEntry[],
  unmeasuredMax: number,
): Pick<ConsensusEntry, 'bandwidth' | 'unmeasured'> {
  const measured = entries.flatMap(entry => entry.measured ?? []);
  if (measured.length >= enoughMeasure) return { bandwidth: lowMedian(measured), unmeasured: false };
  const said = lowMedian(entries.map(entry => entry.bandwidth));
  return { bandwidth: Math.min(said, unmeasuredMax), unmeasured: true };
}

/** What the relay says of itself: what follows from one descriptor is taken from those who list that one. */
function agreedFacts(
  entries: readonly VoteEntry[],
  method: ConsensusMethod,
): Omit<ConsensusEntry, 'flags' | 'bandwidth' | 'unmeasured'> {
  const same = commonest(entries);
  const [{ nickname, rsaId, publishedMs, address, dirPort, descriptorDigest }] = same;
  const withPolicy = (all: readonly VoteEntry[]) => all.flatMap(({ exitPolicy }) => exitPolicy ?? []);
  const versions = entries.flatMap(({ version }) => (version === '' ? [] : version));
  const prices = method === pricedMethod ? same.flatMap(({ price }) => price ?? []) : [];
  const describing = entries.filter(entry => equalBytes(entry.descriptorDigest, descriptorDigest));
  return {
    nickname,
    rsaId,
    publishedMs,
    address,
    dirPort,
    descriptorDigest,
    ipv6: mostFrequent(
      same.flatMap(({ ipv6 }) => ipv6 ?? []),
      formatEndpoint,
    ),
    microdescriptorDigest: mostFrequent(
      same.flatMap(({ microdescriptorDigests }) => microdescriptorDigests.get(method) ?? []),
      toHex,
    ),
    version: mostFrequent(versions, version => version, compareVersions) ?? '',
    protocols:
      mostFrequent(
        entries.map(({ protocols }) => protocols),
        formatProtocols,
      ) ?? new Map(),
    exitPolicy:
      mostFrequent(withPolicy(describing), formatPortPolicy) ??
      mostFrequent(withPolicy(entries), formatPortPolicy),
    price: mostFrequent(prices, formatPrice),
  };
}

/**
 * The entries with the descriptor that most authorities list. Of several, the newest; then that with the smallest
 * digest. What identifies the relay is compared too, so that no single authority can bend it.
 */
function commonest(entries: readonly VoteEntry[]): readonly VoteEntry[] {
  const routerOf = (entry: VoteEntry): string => formatRouter({ ...entry, ipv6: undefined }, 'ns')[0];
  const rivals = [...grouped(entries, routerOf)].map(([text, all]) => ({ text, all, entry: all[0] }));
  rivals.sort(
    (a, b) =>
      b.all.length - a.all.length ||
      b.entry.publishedMs - a.entry.publishedMs ||
      Buffer.compare(a.entry.descriptorDigest, b.entry.descriptorDigest) ||
      (a.text > b.text ? -1 : 1),
  );
  return rivals[0].all;
}
