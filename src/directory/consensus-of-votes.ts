import { assert } from '../base/assert.ts';
import { toHex } from '../base/bytes.ts';
import type { ConsensusFacts } from './consensus-builder.ts';
import type { ConsensusEntry } from './consensus-entry.ts';
import type { Vote } from './vote.ts';
import { formatDescribed, type VoteEntry } from './vote-entry.ts';

/** Votes for a parameter, or measurements of a relay, that are enough whatever the others say. */
const enough = 3;
/** kB/s. spec: dir-spec/computing-consensus (maxunmeasuredbw) */
const unmeasuredMaxDefault = 20;

/**
 * What authorities agree on: a pure function of their votes, whatever order they came in, so that authorities which
 * have the same votes sign the same bytes. spec: dir-spec/computing-consensus
 * @param votes one of each authority, all for the same time.
 * @param authorities how many there are, whether they voted or not.
 */
export function consensusOf(votes: readonly Vote[], authorities: number): ConsensusFacts {
  assert(votes.length > 0 && votes.length <= authorities, 'each authority votes once');
  const median = (of: (vote: Vote) => number): number => lowMedian(votes.map(of));
  const params = agreedParams(votes, authorities);
  return {
    validAfterMs: median(vote => vote.validAfterMs),
    freshUntilMs: median(vote => vote.freshUntilMs),
    validUntilMs: median(vote => vote.validUntilMs),
    votingDelay: [median(vote => vote.votingDelay[0]), median(vote => vote.votingDelay[1])],
    knownFlags: [...new Set(votes.flatMap(vote => vote.knownFlags))].sort(),
    params,
    authorities: votes.map(({ authority, digest }) => ({ ...authority, voteDigest: digest })),
    relays: agreedRelays(votes, authorities, params),
  };
}

/** The middle one of sorted numbers; of an even count, the lower of both in the middle. */
export function lowMedian(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)];
}

/** spec: dir-spec/computing-consensus (params): more than half of the authorities, or three of them, must name it */
function agreedParams(votes: readonly Vote[], authorities: number): Map<string, number> {
  const named = grouped(
    votes.flatMap(vote => [...vote.params]),
    ([name]) => name,
  );
  const agreed = new Map<string, number>();
  for (const [name, values] of named)
    if (values.length >= enough || values.length * 2 > authorities)
      agreed.set(name, lowMedian(values.map(([, value]) => value)));
  return agreed;
}

function agreedRelays(
  votes: readonly Vote[],
  authorities: number,
  params: ReadonlyMap<string, number>,
): ConsensusEntry[] {
  const flagVoters = new Map(
    [
      ...grouped(
        votes.flatMap(vote => vote.knownFlags),
        flag => flag,
      ),
    ].map(([flag, all]) => [flag, all.length]),
  );
  const measuring = votes.filter(vote => vote.relays.some(relay => relay.measured !== undefined)).length;
  const unmeasuredMax =
    measuring >= enough ? Math.max(params.get('maxunmeasuredbw') ?? unmeasuredMaxDefault, 1) : Infinity;
  // Both identities make the relay: authorities that know one of them with another partner do not mean this relay.
  const listings = grouped(
    votes.flatMap(vote => vote.relays),
    relay => toHex(relay.rsaId) + toHex(relay.ed25519),
  );
  const relays: ConsensusEntry[] = [];
  for (const listing of listings.values()) {
    if (listing.length * 2 <= authorities) continue;
    const flags = agreedFlags(listing, flagVoters);
    if (!flags.has('Running') || !flags.has('Valid')) continue;
    const { ed25519: _, measured: __, ...described } = commonest(listing);
    relays.push({ ...described, flags, ...agreedBandwidth(listing, unmeasuredMax) });
  }
  return relays;
}

/** A flag holds if more than half of the authorities that vote on it at all give it. */
function agreedFlags(listing: readonly VoteEntry[], voters: ReadonlyMap<string, number>): Set<string> {
  const given = grouped(
    listing.flatMap(entry => [...entry.flags]),
    flag => flag,
  );
  const flags = [...given].filter(([flag, all]) => all.length * 2 > (voters.get(flag) ?? 0));
  return new Set(flags.map(([flag]) => flag).sort());
}

function agreedBandwidth(
  listing: readonly VoteEntry[],
  unmeasuredMax: number,
): Pick<ConsensusEntry, 'bandwidth' | 'unmeasured'> {
  const measured = listing.flatMap(entry => entry.measured ?? []);
  if (measured.length >= enough) return { bandwidth: lowMedian(measured), unmeasured: false };
  const said = lowMedian(listing.map(entry => entry.bandwidth));
  return { bandwidth: Math.min(said, unmeasuredMax), unmeasured: true };
}

/**
 * The entry whose descriptor most authorities list. Of several, the newest; then that with the smallest digest.
 * What the authorities derived from it is compared too, so that no single one can bend it.
 */
function commonest(listing: readonly VoteEntry[]): VoteEntry {
  const rivals = [...grouped(listing, formatDescribed)].map(([text, all]) => ({ text, all, entry: all[0] }));
  rivals.sort(
    (a, b) =>
      b.all.length - a.all.length ||
      b.entry.publishedMs - a.entry.publishedMs ||
      Buffer.compare(a.entry.descriptorDigest, b.entry.descriptorDigest) ||
      (a.text < b.text ? -1 : 1),
  );
  return rivals[0].entry;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
