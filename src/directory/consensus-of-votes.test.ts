import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatConsensus } from './consensus-builder.ts';
import { consensusOf, lowMedian } from './consensus-of-votes.ts';
import { knownFlags } from './flag-rules.ts';
import { entriesOf, makeAuthority, makeRelays, makeVote, seeded } from './small-network.fixture.ts';
import type { Vote } from './vote.ts';
import type { VoteEntry } from './vote-entry.ts';

const signed = [0, 1, 2, 3].map(index => makeVote(makeAuthority(index), []));
const [first, second] = entriesOf(makeRelays());

/** A vote of the authority with this index, as if it had come over the wire. */
function vote(index: number, relays: readonly VoteEntry[], change: Partial<Vote> = {}): Vote {
  return { ...signed[index], relays, ...change };
}
const flagged = (entry: VoteEntry, ...flags: string[]): VoteEntry => ({
  ...entry,
  flags: new Set(['Running', 'Valid', ...flags]),
});
const only = (votes: readonly Vote[], authorities = votes.length) =>
  consensusOf(votes, authorities).relays[0];

describe('rules of dir-spec', () => {
  test.each([
    [[5], 5],
    [[9, 1], 1],
    [[9, 1, 5], 5],
    [[4, 3, 2, 1], 2],
    [[-7, 0, 2 ** 31 - 1], 0],
  ])('the low median of %j is %d', (numbers, median) => {
    expect(lowMedian(numbers)).toBe(median);
  });

  test('more than half of all authorities must list a relay, not just of those that vote', () => {
    const listing = [vote(0, [first]), vote(1, [first])];
    expect(consensusOf(listing, 3).relays).toHaveLength(1);
    expect(consensusOf(listing, 4).relays).toHaveLength(0);
    expect(consensusOf([vote(0, [first]), vote(1, []), vote(2, [])], 3).relays).toHaveLength(0);
  });

  test('a relay whose two identities are not agreed on is left out', () => {
    const other = { ...first, ed25519: second.ed25519 };
    expect(consensusOf([vote(0, [first]), vote(1, [other]), vote(2, [])], 3).relays).toHaveLength(0);
    expect(only([vote(0, [first]), vote(1, [first]), vote(2, [other])])).toMatchObject({
      rsaId: first.rsaId,
    });
  });

  test('a flag holds if more than half of those give it that vote on it at all', () => {
    const votes = [
      vote(0, [flagged(first, 'Exit', 'Fast')]),
      vote(1, [flagged(first, 'Fast')]),
      vote(2, [flagged(first)]),
    ];
    expect([...only(votes).flags]).toEqual(['Fast', 'Running', 'Valid']);
    const silent = knownFlags.filter(flag => flag !== 'Exit');
    const fewer = [votes[0], ...votes.slice(1).map(each => ({ ...each, knownFlags: silent }))];
    expect([...only(fewer).flags]).toEqual(['Exit', 'Fast', 'Running', 'Valid']);
    // An authority that votes on a flag and does not list the relay speaks against it.
    const absent = [vote(0, [flagged(first, 'Exit')]), vote(1, [flagged(first)])];
    expect(only([...absent, vote(2, [])], 3).flags.has('Exit')).toBe(false);
    expect(consensusOf([...votes, vote(3, [])], 4).knownFlags).toEqual(knownFlags);
  });

  test('a relay that most do not call running is left out', () => {
    const down = { ...first, flags: new Set(['Valid']) };
    expect(consensusOf([vote(0, [first]), vote(1, [down]), vote(2, [down])], 3).relays).toHaveLength(0);
    expect(consensusOf([vote(0, [first]), vote(1, [down])], 2).relays).toHaveLength(0);
    expect(consensusOf([vote(0, [first]), vote(1, [first]), vote(2, [down])], 3).relays).toHaveLength(1);
  });

  test('bandwidth is the low median of three measurements, else of what is said, and called unmeasured', () => {
    const of = (bandwidths: [said: number, measured?: number][], params = new Map<string, number>()) => {
      const votes = bandwidths.map(([bandwidth, measured], i) =>
        vote(i, [{ ...first, bandwidth, measured }], { params }),
      );
      const { bandwidth, unmeasured } = only(votes);
      return [bandwidth, unmeasured];
    };
    expect(
      of([
        [1, 30],
        [2, 10],
        [3, 20],
      ]),
    ).toEqual([20, false]);
    expect(
      of([
        [1, 30],
        [2, 10],
        [3, 20],
        [4, 40],
      ]),
    ).toEqual([20, false]);
    expect(of([[100, 5], [300, 7], [200]])).toEqual([200, true]);
    expect(of([[100], [300]])).toEqual([100, true]);
    expect(of([[9]])).toEqual([9, true]);
  });

  test('where three authorities measure, relays that they have not measured are capped', () => {
    const measuring = (params: Map<string, number>) =>
      [0, 1, 2].map(i =>
        vote(
          i,
          [
            { ...first, bandwidth: 5_000 },
            { ...second, measured: 9 },
          ],
          { params },
        ),
      );
    const bandwidths = (votes: Vote[]) => consensusOf(votes, 3).relays.map(({ bandwidth }) => bandwidth);
    expect(bandwidths(measuring(new Map()))).toEqual([20, 9]);
    expect(bandwidths(measuring(new Map([['maxunmeasuredbw', 300]])))).toEqual([300, 9]);
  });

  test('a parameter needs more than half of the authorities, or three', () => {
    const params = (...values: (number | undefined)[]) => {
      const votes = values.map((value, i) =>
        vote(i, [], { params: new Map(value === undefined ? [] : [['p', value]]) }),
      );
      return (authorities: number) => consensusOf(votes, authorities).params.get('p');
    };
    expect(params(4)(1)).toBe(4);
    expect(params(4, 2)(3)).toBe(2);
    expect(params(4, undefined, undefined)(3)).toBeUndefined();
    expect(params(3, -1, 8)(9)).toBe(3);
    expect(params(3, 1)(4)).toBeUndefined();
    expect(params(9, 3, 5, 1)(4)).toBe(3);
  });

  test('times and delays are low medians', () => {
    const [a, b] = [vote(0, []), vote(1, [])];
    const longer = { ...b, freshUntilMs: b.freshUntilMs + 1_000, votingDelay: [9, 1] as const };
    expect(consensusOf([a, longer], 2)).toMatchObject({ freshUntilMs: a.freshUntilMs, votingDelay: [2, 1] });
  });

  describe('of different descriptors', () => {
    const made = (name: string, publishedMs: number): VoteEntry => ({
      ...first,
      nickname: name,
      publishedMs,
      descriptorDigest: seeded(name).bytes(20),
      price: { priceMsatPer2Pow20: BigInt(publishedMs), paySchemes: [1] },
    });
    const [old, young, other] = [made('old', 1_000), made('young', 2_000), made('other', 2_000)];

    test('that which most list counts, with its price, be it the older one', () => {
      const chosen = only([vote(0, [old]), vote(1, [young]), vote(2, [old])]);
      expect(chosen).toMatchObject({ nickname: 'old', price: { priceMsatPer2Pow20: 1_000n } });
    });

    test('as often listed, the newest counts', () => {
      expect(only([vote(0, [old]), vote(1, [young])]).nickname).toBe('young');
      expect(only([vote(0, [young]), vote(1, [old]), vote(2, [])], 3).nickname).toBe('young');
    });

    test('as often listed and as new, that with the smallest digest counts', () => {
      const least = [young, other].sort((a, b) => Buffer.compare(a.descriptorDigest, b.descriptorDigest))[0];
      expect(only([vote(0, [young]), vote(1, [other])]).nickname).toBe(least.nickname);
      expect(only([vote(0, [other]), vote(1, [young])]).nickname).toBe(least.nickname);
    });

    test('an authority alone cannot bend what follows from a descriptor', () => {
      const bent = { ...old, price: { priceMsatPer2Pow20: 1n, paySchemes: [1] }, publishedMs: 9_000 };
      expect(only([vote(0, [bent]), vote(1, [old]), vote(2, [old])]).price?.priceMsatPer2Pow20).toBe(1_000n);
    });
  });
});

describe('a consensus', () => {
  const seeds = fc.array(fc.record({ listed: fc.subarray([0, 1, 2, 3]), relay: fc.nat(7) }), {
    maxLength: 30,
  });
  const flagSets = fc.array(fc.subarray(knownFlags), { minLength: 4, maxLength: 4 });
  const bandwidths = fc.array(fc.option(fc.nat(1_000), { nil: undefined }), { minLength: 4, maxLength: 4 });
  const ballots = fc.tuple(seeds, flagSets, bandwidths, fc.subarray([0, 1, 2, 3], { minLength: 1 }));

  test('is the same whatever order votes, and relays in them, come in', () => {
    fc.assert(
      fc.property(ballots, fc.infiniteStream(fc.nat(99)), ([relays, flags, measured, voters], random) => {
        const votes = voters.map(voter => {
          const own = new Map<number, VoteEntry>();
          for (const { listed, relay } of relays) {
            if (!listed.includes(voter)) continue;
            const bytes = seeded(`relay ${relay}`);
            own.set(relay, {
              ...first,
              rsaId: bytes.bytes(20),
              ed25519: bytes.bytes(32),
              // Neighbours have the same descriptor of it.
              descriptorDigest: seeded(`${relay} ${voter >> 1}`).bytes(20),
              flags: new Set(['Running', 'Valid', ...flags[voter]]),
              measured: measured[voter],
            });
          }
          return vote(voter, [...own.values()], { params: new Map([[`p${voter >> 1}`, voter]]) });
        });
        const shuffled = <T>(items: readonly T[]): T[] =>
          items
            .map(item => ({ item, at: random.next().value }))
            .sort((a, b) => a.at - b.at)
            .map(({ item }) => item);
        const turned = shuffled(votes).map(each => ({
          ...each,
          relays: shuffled(each.relays),
          params: new Map(shuffled([...each.params])),
        }));
        for (const flavor of ['ns', 'microdesc'] as const)
          expect(formatConsensus(consensusOf(turned, 4), flavor)).toBe(
            formatConsensus(consensusOf(votes, 4), flavor),
          );
      }),
      { numRuns: 150 },
    );
  });
});
