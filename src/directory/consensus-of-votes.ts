import { assert } from '../base/assert.ts';
import { agreedRelays } from './agreed-relays.ts';
import type { ConsensusFacts } from './consensus-builder.ts';
import { noEdConsensus } from './consensus-entry.ts';
import { agreedMethod } from './consensus-method.ts';
import { grouped, lowMedian } from './opinions.ts';
import { type Protocols, protocolsOf, supportsProtocol } from './protocols.ts';
import { eachDemand, type ProtocolDemand } from './status-document.ts';
import { compareVersions } from './tor-version.ts';
import type { Vote } from './vote.ts';

/** Votes for a parameter that are enough however many authorities there are. */
const enoughVotes = 3;

/**
 * What authorities agree on: a pure function of their votes, whatever order they came in, so that authorities which
 * have the same votes sign the same bytes, C tor's among them. spec: dir-spec/computing-consensus
 * @param votes one of each authority, all for the same time.
 * @param authorities how many there are, whether they voted or not.
 * @returns undefined when the voters agree on rules that are not known here.
 */
export function consensusOf(votes: readonly Vote[], authorities: number): ConsensusFacts | undefined {
  assert(votes.length > 0 && votes.length <= authorities, 'each authority votes once');
  const method = agreedMethod(votes.map(vote => vote.methods));
  if (method === undefined) return undefined;
  const median = (of: (vote: Vote) => number): number => lowMedian(votes.map(of));
  const params = agreedParams(votes, authorities);
  return {
    method,
    validAfterMs: median(vote => vote.validAfterMs),
    freshUntilMs: median(vote => vote.freshUntilMs),
    validUntilMs: median(vote => vote.validUntilMs),
    votingDelay: [median(vote => vote.votingDelay[0]), median(vote => vote.votingDelay[1])],
    knownFlags: [...new Set([...votes.flatMap(vote => vote.knownFlags), noEdConsensus])].sort(),
    params,
    clientVersions: agreedVersions(votes.map(vote => vote.clientVersions)),
    serverVersions: agreedVersions(votes.map(vote => vote.serverVersions)),
    previousRandom: agreedRandom(
      votes.map(vote => vote.previousRandom),
      authorities,
    ),
    currentRandom: agreedRandom(
      votes.map(vote => vote.currentRandom),
      authorities,
    ),
    protocols: eachDemand(demand => agreedProtocols(votes, authorities, demand)),
    authorities: votes.map(({ authority, digest }) => ({ ...authority, voteDigest: digest })),
    relays: agreedRelays(votes, authorities, method, params),
  };
}

/** spec: dir-spec/computing-consensus (params): more than half of the authorities, or three of them, must name it */
function agreedParams(votes: readonly Vote[], authorities: number): Map<string, number> {
  const named = grouped(
    votes.flatMap(vote => [...vote.params]),
    ([name]) => name,
  );
  const agreed = new Map<string, number>();
  for (const [name, values] of named)
    if (values.length >= enoughVotes || values.length * 2 > authorities)
      agreed.set(name, lowMedian(values.map(([, value]) => value)));
  return agreed;
}

/** Half of all authorities may recommend a protocol, two thirds require it: a node without a required one stops. */
function agreedProtocols(votes: readonly Vote[], authorities: number, demand: ProtocolDemand): Protocols {
  const enough = Math.ceil(demand.startsWith('required') ? (authorities * 2) / 3 : authorities / 2);
  const lists = votes.map(vote => vote.protocols[demand]);
  return protocolsOf(
    lists.flatMap(list => [...list.keys()]),
    (name, version) => lists.filter(list => supportsProtocol(list, name, version)).length >= enough,
  );
}

/** Those that more than half of the voters with an opinion recommend, the earliest first. */
function agreedVersions(opinions: readonly (readonly string[] | undefined)[]): string[] {
  const lists = opinions.filter(each => each !== undefined);
  const listed = grouped(lists.flat(), version => version);
  const agreed = [...listed].filter(([, all]) => all.length * 2 > lists.length).map(([version]) => version);
  return agreed.sort(compareVersions);
}

/**
 * The value that more than half of all authorities have. C tor asks for two thirds in the round in which it has come to be,
 * which is no more than that among up to eight. spec: srv-spec/protocol (consensus)
 */
function agreedRandom(values: readonly (string | undefined)[], authorities: number): string | undefined {
  const known = values.filter(value => value !== undefined);
  return [...grouped(known, value => value).values()].find(same => same.length * 2 > authorities)?.[0];
}
