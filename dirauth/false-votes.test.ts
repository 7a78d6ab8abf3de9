import { expect, test } from 'vitest';
import { consensusBytesMax } from '../src/base/limits.ts';
import { knownFlags } from '../src/directory/flag-rules.ts';
import {
  entriesOf,
  makeAuthority,
  makeRelays,
  makeVote,
  wallMs,
} from '../src/directory/small-network.fixture.ts';
import { eachDemand } from '../src/directory/status-document.ts';
import { buildVote, parseVote, splitVotes, type VoteFacts } from '../src/directory/vote.ts';
import { AuthorityLab } from './authority-lab.fixture.ts';
import { roundTimes } from './vote-clock.ts';
import { VotingRound } from './voting-round.ts';

const schedule = {
  intervalMs: 60_000,
  intervalsValid: 3,
  voteMs: 10_000,
  signMs: 10_000,
  settleMs: undefined,
};
const flagsMost = Array.from({ length: 64 }, (_, i) => `Flag${10 + i}`);

/** Some of three authorities, a round that has been open for 2 s, and what the third says in its vote. */
function told(said: Partial<VoteFacts>, honest: readonly number[], answer = /^vote accepted/): AuthorityLab {
  const at = new AuthorityLab(3, { schedule });
  for (const relay of [1, 2].map(index => at.relay(index)))
    for (const to of honest) at.upload(relay.descriptor(), to);
  for (const index of [0, 1, 2]) if (!honest.includes(index)) at.crash(index);
  const openMs = at.wallMs() - (at.wallMs() % 60_000) + 60_000 - 18_000;
  at.world.runFor(openMs - at.wallMs());
  const vote = voteOfThird(at, openMs + 18_000, said);
  for (const to of honest) expect(at.post('/tor/post/vote', vote, to).reason).toMatch(answer);
  at.world.runFor(20_000);
  return at;
}

test('two authorities agree though the third has 64 flags of which nobody else has heard', () => {
  const at = told({ relays: [], knownFlags: flagsMost }, [0, 1]);
  for (const index of [0, 1]) expect(at.authorities[index].core.counts.listed).toBe(2);
});

test('an authority takes no vote that gives votes and signatures no time', () => {
  const at = told({ votingDelay: [0, 0] }, [0], /^VOTE_BAD voting-delay/);
  expect(at.get('/tor/status-vote/current/consensus').status).toBe(404);
});

test('votes that overfill a consensus come to none', () => {
  const voters = [0, 1, 2].map(makeAuthority);
  const [relay] = entriesOf(makeRelays());
  const relays = Array.from({ length: 40 }, (_, i) => ({ ...relay, rsaId: new Uint8Array(20).fill(i) }));
  const round = new VotingRound(wallMs, roundTimes(schedule, wallMs), 3);
  for (const voter of voters.slice(1)) round.addVote(makeVote(voter, relays));
  round.addVote(makeVote(voters[0], [], { knownFlags: ['F'.repeat(consensusBytesMax - 5_000)] }));
  const { identity, signing } = voters[0];
  expect(round.compute({ v3Ident: identity.fingerprint, signingKey: signing })).toBeUndefined();
});

function voteOfThird(at: AuthorityLab, validAfterMs: number, said: Partial<VoteFacts>): string {
  const { keys, settings } = at.authorities[2];
  const [text] = splitVotes(at.text('/tor/status-vote/next/authority'), 1);
  const own = parseVote(text);
  const { nickname, address, dirPort, orPort } = settings;
  const v3Ident = keys.identity.fingerprint;
  const facts = {
    publishedMs: validAfterMs - 18_000,
    validAfterMs,
    freshUntilMs: validAfterMs + schedule.intervalMs,
    validUntilMs: validAfterMs + schedule.intervalMs * schedule.intervalsValid,
    votingDelay: [10, 10] as const,
    knownFlags,
    params: new Map(),
    protocols: eachDemand(() => new Map()),
    authority: { nickname, v3Ident, hostname: address, address, dirPort, orPort, contact: '' },
    relays: own.ok ? own.value.relays : [],
    ...said,
  };
  return buildVote(facts, keys.certificate, { v3Ident, signingKey: keys.signing });
}
