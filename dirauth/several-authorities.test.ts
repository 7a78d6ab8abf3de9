import { describe, expect, test } from 'vitest';
import { toHex } from '../src/base/bytes.ts';
import { DirectoryClient } from '../src/directory/directory-client.ts';
import { parseVote, splitVotes } from '../src/directory/vote.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { AuthorityLab } from './authority-lab.fixture.ts';

/** As on the public network: consensuses are made when they are due, and at no other time. */
const onTime = { intervalMs: 60_000, intervalsValid: 3, voteMs: 10_000, signMs: 10_000, settleMs: undefined };

/** An authority's consensus in a few words. */
function held(at: AuthorityLab, index: number) {
  const consensus = at.authorities[index].core.consensus('ns');
  return {
    digest: consensus && toHex(consensus.sha1Digest),
    validAfterMs: consensus?.validAfterMs ?? 0,
    votes: consensus?.authorities.map(({ nickname }) => nickname).sort() ?? [],
    signers: consensus?.signatures.length ?? 0,
    relays: consensus?.relays.map(({ nickname }) => nickname) ?? [],
  };
}

const codes = (at: AuthorityLab, index: number) =>
  at.authorities[index].logged.flatMap(({ event, fields }) => (/refused/.test(event) ? [fields.code] : []));

/** Three authorities that have agreed on two relays. */
function agreed(): AuthorityLab {
  const at = new AuthorityLab(3);
  for (const relay of [1, 2].map(index => at.relay(index)))
    for (const to of [0, 1, 2]) at.upload(relay.descriptor(), to);
  at.world.runFor(3_000);
  return at;
}

describe('three authorities', () => {
  test('make one consensus of their votes, which a client believes', () => {
    const at = agreed();
    const [first, ...others] = [0, 1, 2].map(index => held(at, index));
    expect(first).toMatchObject({ votes: ['auth1', 'auth2', 'auth3'], signers: 3, relays: { length: 2 } });
    for (const other of others) expect(other).toEqual(first);
    const { node } = at.askerHost;
    const client = node.turn(
      () =>
        new DirectoryClient({
          authorities: at.authorities.map(({ self }) => self),
          clock: new VirtualClock(node),
          entropy: node.entropy,
        }),
    );
    for (let asked = 0; asked < 9; asked++) {
      const wanted = node.turn(() => client.next());
      if (wanted === undefined) break;
      // Any authority has all that it takes, the others' certificates too.
      const response = at.get(wanted.path, asked % 3);
      expect(node.turn(() => client.answered(wanted, response))).toMatchObject({ ok: true });
    }
    expect(client.view?.relays).toHaveLength(2);
    expect(client.certificates()).toHaveLength(3);
  });

  test('make the next one when it is due, with all signatures', () => {
    const at = agreed();
    at.world.runFor(20_000);
    const [first, ...others] = [0, 1, 2].map(index => held(at, index));
    expect(first.validAfterMs % 20_000).toBe(0);
    expect(first.signers).toBe(3);
    for (const other of others) expect(other).toEqual(first);
  });

  test('show their votes and signatures', () => {
    const at = agreed();
    const names = at.authorities.map(({ self }) => toHex(self.v3Ident!).toUpperCase());
    const votes = splitVotes(at.text(`/tor/status-vote/current/${names.join('+')}.z`), 9).map(text =>
      parseVote(text),
    );
    expect(votes.map(vote => vote.ok && vote.value.authority.nickname).sort()).toEqual([
      'auth1',
      'auth2',
      'auth3',
    ]);
    const [own] = votes.filter(vote => vote.ok && vote.value.authority.nickname === 'auth2');
    const digest = own.ok ? toHex(own.value.digest) : '';
    const same = [
      at.text(`/tor/status-vote/next/d/${digest}`),
      at.text(`/tor/status-vote/current/${names[1]}`),
      at.text('/tor/status-vote/current/authority', 1),
    ];
    expect(new Set(same)).toEqual(new Set([own.ok && own.value.text]));
    expect(at.text('/tor/status-vote/next/consensus-signatures.z')).toMatch(/^consensus-digest /);
    expect(at.get('/tor/status-vote/never/authority').status).toBe(404);
    expect(at.get(`/tor/status-vote/current/${'00'.repeat(20)}`).status).toBe(404);
  });

  test('tell each other of relays that reached one of them alone', () => {
    const at = agreed();
    const third = at.relay(3);
    at.upload(third.descriptor(), 1);
    at.world.runFor(25_000);
    for (const index of [0, 1, 2]) {
      expect(held(at, index).relays).toContain('relay3');
      expect(at.authorities[index].core.counts.descriptors).toBe(3);
    }
  });

  test('go on without one that is down, and with it when it is back', () => {
    const at = agreed();
    const before = held(at, 0);
    at.crash(2);
    at.world.runFor(30_000);
    expect(held(at, 0)).toMatchObject({ votes: ['auth1', 'auth2'], signers: 2, relays: { length: 2 } });
    expect(held(at, 1)).toEqual(held(at, 0));
    expect(held(at, 0).validAfterMs).toBeGreaterThan(before.validAfterMs);
    // Between two rounds: it takes what the others have agreed on, and votes in the next one.
    at.restart(2);
    at.world.runFor(1_000);
    expect(held(at, 2)).toEqual(held(at, 0));
    expect(at.authorities[2].core.counts.descriptors).toBe(2);
    at.world.runFor(20_000);
    expect(held(at, 2)).toMatchObject({ votes: { length: 3 }, signers: 3 });
    expect(held(at, 0)).toEqual(held(at, 2));
  });

  test('keep what they have when most of them are down, and agree again when they are back', () => {
    const at = agreed();
    at.crash(1);
    at.crash(2);
    const before = held(at, 0);
    at.world.runFor(45_000);
    expect(held(at, 0)).toEqual(before);
    expect(at.authorities[0].logged.some(({ event }) => event === 'no consensus')).toBe(true);
    at.restart(1);
    at.world.runFor(30_000);
    expect(held(at, 0)).toMatchObject({ votes: ['auth1', 'auth2'], signers: 2 });
  });

  test('outvote one whose clock is an hour ahead; it has what they agree on, and counts again once it is set', () => {
    const at = agreed();
    at.crash(2);
    at.authorities[2].skewMs = 3_600_000;
    at.restart(2);
    at.world.runFor(50_000);
    expect(held(at, 0)).toMatchObject({ votes: ['auth1', 'auth2'], signers: 2, relays: { length: 2 } });
    expect(held(at, 1)).toEqual(held(at, 0));
    expect(codes(at, 0)).toContain('VOTE_OUT_OF_TIME');
    // Nothing that it thinks of alone is ever served.
    expect(held(at, 2).signers).toBeGreaterThanOrEqual(2);
    expect(held(at, 2).validAfterMs).toBeLessThanOrEqual(held(at, 0).validAfterMs);
    at.crash(2);
    at.authorities[2].skewMs = 0;
    at.restart(2);
    at.world.runFor(25_000);
    expect(held(at, 0)).toMatchObject({ votes: { length: 3 }, signers: 3 });
    expect(held(at, 2)).toEqual(held(at, 0));
  });

  test('take no votes or signatures of strangers', () => {
    const at = agreed();
    const stranger = new AuthorityLab(1).first;
    at.world.runFor(14_000);
    const vote = at
      .text('/tor/status-vote/current/authority')
      .replace(/\nvalid-after .*/, '\nvalid-after 2000-01-01 00:00:00');
    expect(at.post('/tor/post/vote', vote).reason).toContain('VOTE_BAD_SIGNATURE');
    expect(at.post('/tor/post/vote', 'hello').reason).toContain('UPLOAD_EMPTY');
    expect(at.post('/tor/post/consensus-signature', 'hello\n').reason).toContain('SIGNATURES_BAD');
    expect(stranger.core.counts.descriptors).toBe(0);
  });
});

describe('three authorities that vote on time', () => {
  /** They have their first consensus, which does not wait, and the next one is due in 40 s. */
  function dueSoon(seed = 1): AuthorityLab {
    const at = new AuthorityLab(3, { schedule: onTime, assumeReachable: true }, seed);
    for (const index of [1, 2]) {
      const descriptor = at.relay(index).descriptor();
      for (const to of [0, 1, 2]) at.upload(descriptor, to);
    }
    at.world.runFor(40_000);
    const { intervalMs } = onTime;
    at.world.runFor(2 * intervalMs - (at.wallMs() % intervalMs) - 40_000);
    return at;
  }

  test('publish when it is due, not before', () => {
    const at = dueSoon();
    const dueMs = at.wallMs() + 40_000;
    at.world.runFor(39_900);
    const before = [0, 1, 2].map(index => held(at, index).validAfterMs);
    expect(before).toEqual(Array(3).fill(dueMs - onTime.intervalMs));
    at.world.runFor(200);
    for (const index of [0, 1, 2]) expect(held(at, index)).toMatchObject({ validAfterMs: dueMs, signers: 3 });
  });

  test.each([3_000, -3_000])('have the vote of one whose clock is %d ms ahead', skewMs => {
    const at = dueSoon();
    at.crash(2);
    at.authorities[2].skewMs = skewMs;
    at.restart(2);
    at.world.runFor(45_000);
    for (const index of [0, 1, 2])
      expect(held(at, index)).toMatchObject({ votes: { length: 3 }, signers: 3, digest: held(at, 0).digest });
  });

  test.each([5, 19.9, 20.0, 20.01, 20.02, 22, 26, 29.9, 30.0, 30.02, 35, 39.99])(
    'say the same after a crash %d s into the round as before it',
    afterS => {
      const at = dueSoon(afterS * 100);
      const dueMs = at.wallMs() + 40_000;
      at.world.runFor(afterS * 1_000);
      at.crash(1);
      at.world.runFor(40);
      at.restart(1);
      at.world.runFor(dueMs - at.wallMs() + 200);
      for (const index of [0, 2]) {
        expect(held(at, index)).toMatchObject({ validAfterMs: dueMs, digest: held(at, 0).digest });
        expect(held(at, index).signers).toBeGreaterThanOrEqual(2);
        expect(codes(at, index)).not.toContain('VOTE_SECOND');
      }
      expect(held(at, 1)).toMatchObject({ validAfterMs: dueMs, digest: held(at, 0).digest });
    },
  );

  test.each([1, 2, 3, 4, 5, 6])(
    'never agree on two consensuses for one time, whatever fails: seed %d',
    seed => {
      const at = dueSoon(seed);
      const draw = at.world.entropy.fork('faults');
      const agreedOn = new Map<number, Set<string | undefined>>();
      const down = new Set<number>();
      const cutOffUntilMs = [0, 0, 0];
      let relays = 2;
      for (let step = 0; step < 240; step++) {
        at.world.runFor(draw.between(1, 3_000));
        const index = draw.below(3);
        if (down.delete(index)) at.restart(index);
        else if (draw.chance(0.15)) {
          down.add(index);
          at.crash(index);
        } else if (draw.chance(0.1)) {
          const forMs = draw.between(100, 20_000);
          at.network.cutOff(at.authorities[index].host, forMs);
          cutOffUntilMs[index] = Math.max(cutOffUntilMs[index], at.wallMs() + forMs);
        } else if (cutOffUntilMs[index] < at.wallMs() && relays < 40) {
          relays += 1;
          at.upload(at.relay(relays).descriptor(), index);
        }
        for (const each of [0, 1, 2]) {
          if (down.has(each)) continue;
          const { validAfterMs, digest } = held(at, each);
          agreedOn.set(validAfterMs, (agreedOn.get(validAfterMs) ?? new Set()).add(digest));
        }
      }
      expect(agreedOn.size).toBeGreaterThan(2);
      for (const [, digests] of agreedOn) expect(digests.size).toBe(1);
      // Once all is well again, so is the next consensus.
      for (const index of down) at.restart(index);
      at.world.runFor(3 * onTime.intervalMs);
      expect(held(at, 0)).toMatchObject({ votes: { length: 3 }, signers: 3 });
      for (const index of [1, 2]) expect(held(at, index)).toEqual(held(at, 0));
    },
  );
});
