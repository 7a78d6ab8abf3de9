import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatConsensus } from './consensus-builder.ts';
import { noEdConsensus } from './consensus-entry.ts';
import { consensusMethods, plainMethod, pricedMethod } from './consensus-method.ts';
import { consensusOf } from './consensus-of-votes.ts';
import { knownFlags } from './flag-rules.ts';
import { lowMedian } from './opinions.ts';
import { formatProtocols, parseProtocols } from './protocols.ts';
import {
  agreedOn,
  entriesOf,
  makeAuthority,
  makeRelays,
  makeVote,
  seeded,
  wallMs,
} from './small-network.fixture.ts';
import { eachDemand } from './status-document.ts';
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
const only = (votes: readonly Vote[], authorities = votes.length) => agreedOn(votes, authorities).relays[0];

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
    expect(agreedOn(listing, 3).relays).toHaveLength(1);
    expect(agreedOn(listing, 4).relays).toHaveLength(0);
    expect(agreedOn([vote(0, [first]), vote(1, []), vote(2, [])], 3).relays).toHaveLength(0);
  });

  test('a relay is what most give both identities of; others mean another relay, or do not know', () => {
    const other = { ...first, ed25519: second.ed25519, bandwidth: 1 };
    const unknown = { ...first, ed25519: undefined, bandwidth: 2 };
    const agreed = agreedOn([vote(0, [first]), vote(1, [first]), vote(2, [other])]);
    expect(agreed.relays).toMatchObject([{ rsaId: first.rsaId, bandwidth: first.bandwidth }]);
    expect(only([vote(0, [first]), vote(1, [first]), vote(2, [unknown])]).flags).not.toContain(noEdConsensus);
  });

  test('the protocols of a relay are repeated as it spells them', () => {
    const spelling = 'Link=3-5 Cons=1,2  Relay=02';
    const entry = { ...first, protocols: parseProtocols(spelling)! };
    const votes = [0, 1].map(index => vote(index, [entry]));
    expect(formatConsensus(agreedOn(votes), 'ns')).toContain(`\npr ${spelling}\n`);
  });

  test('a relay whose Ed25519 identity is not agreed on is flagged', () => {
    const other = { ...first, ed25519: second.ed25519 };
    expect(only([vote(0, [first]), vote(1, [other]), vote(2, [])], 3).flags).toContain(noEdConsensus);
    expect(only([vote(0, [first]), vote(1, []), vote(2, [])], 3)).toBeUndefined();
    // Nobody can vote for it.
    const claimed = flagged(first, noEdConsensus);
    expect(only([vote(0, [claimed], { knownFlags: [...knownFlags, noEdConsensus].sort() })]).flags).toEqual(
      new Set(['Running', 'Valid']),
    );
  });

  test('a relay for the middle alone loses the flags of other places', () => {
    const middle = flagged(first, 'Exit', 'Guard', 'MiddleOnly', 'V2Dir');
    const flags = [...knownFlags, 'BadExit', 'MiddleOnly'].sort();
    expect([...only([vote(0, [middle], { knownFlags: flags })]).flags]).toEqual([
      'BadExit',
      'MiddleOnly',
      'Running',
      'Valid',
    ]);
  });

  test('authorities with different intervals agree on times that follow each other', () => {
    const seconds = fc.integer({ min: 1, max: 86_400 }).map(each => each * 1_000);
    const times = fc.tuple(seconds, seconds, seconds).map(([since, fresh, valid]) => ({
      validAfterMs: wallMs + since,
      freshUntilMs: wallMs + since + fresh,
      validUntilMs: wallMs + since + fresh + valid,
    }));
    const made = vote(0, [first]);
    fc.assert(
      fc.property(fc.array(times, { minLength: 1, maxLength: 9 }), all => {
        const votes = all.map(each => ({ ...made, ...each }));
        const { validAfterMs, freshUntilMs, validUntilMs } = consensusOf(votes, votes.length)!;
        expect(validAfterMs).toBeLessThan(freshUntilMs);
        expect(freshUntilMs).toBeLessThan(validUntilMs);
        // No single authority moves them beyond what another one says.
        expect(all.map(each => each.validUntilMs)).toContain(validUntilMs);
      }),
    );
    const slow = { freshUntilMs: wallMs + 7_200_000, validUntilMs: wallMs + 21_600_000 };
    const quick = { freshUntilMs: wallMs + 600_000, validUntilMs: wallMs + 1_800_000 };
    for (const votes of [
      [vote(0, [first], quick), vote(1, [first], slow)],
      [vote(0, [first], slow), vote(1, [first], quick)],
    ])
      expect(consensusOf(votes, 2)).toMatchObject(quick);
  });

  test('the highest method counts that more than two thirds of the voters know', () => {
    const methods = (...known: number[][]) => {
      const votes = known.map((each, i) => vote(i, [first], { methods: each }));
      return consensusOf(votes, votes.length)?.method;
    };
    const cTor = [32, 33, 34, 35];
    const ours = [...consensusMethods];
    expect(methods(ours, ours)).toBe(pricedMethod);
    expect(methods(ours, ours, cTor)).toBe(plainMethod);
    expect(methods(ours, ours, ours, cTor)).toBe(pricedMethod);
    expect(methods(ours, cTor, cTor)).toBe(plainMethod);
    expect(methods(ours, cTor, cTor, cTor)).toBe(plainMethod);
    const later = [...cTor, 36];
    expect(methods(ours, later, later, later)).toBeUndefined();
    expect(methods([1], [2])).toBeUndefined();
  });

  test('where C tor votes, a relay has the microdescriptor that it makes, and no price', () => {
    const votes = [0, 1].map(i => vote(i, [first]));
    expect(only(votes)).toMatchObject({
      price: first.price,
      microdescriptorDigest: first.microdescriptorDigests.get(pricedMethod),
    });
    expect(only([...votes, vote(2, [first], { methods: [34, 35] })])).toMatchObject({
      price: undefined,
      microdescriptorDigest: first.microdescriptorDigests.get(plainMethod),
    });
  });

  test('a relay without microdescriptor is not listed for those who read them', () => {
    const bare = { ...first, microdescriptorDigests: new Map() };
    const facts = agreedOn([vote(0, [bare, second])]);
    expect(formatConsensus(facts, 'ns').match(/^r /gm)).toHaveLength(2);
    expect(formatConsensus(facts, 'microdesc').match(/^r /gm)).toHaveLength(1);
  });

  test('half of all authorities may recommend a protocol, two thirds require it', () => {
    const demands = (...lists: string[]) => {
      const votes = lists.map((list, i) =>
        vote(i, [], { protocols: eachDemand(() => parseProtocols(list)!) }),
      );
      const { protocols } = agreedOn(votes, 4);
      return Object.values(protocols).map(formatProtocols);
    };
    expect(demands('Link=3-5 Relay=1,3', 'Link=4-6 Relay=1-2', 'Link=5')).toEqual([
      'Link=4-5 Relay=1',
      'Link=4-5 Relay=1',
      'Link=5',
      'Link=5',
    ]);
    expect(demands('', 'Link=1')).toEqual(['', '', '', '']);
  });

  test('more than half of those who recommend versions must recommend one; the earliest stands first', () => {
    const versions = (...lists: (string[] | undefined)[]) => {
      const votes = lists.map((each, i) => vote(i, [], { clientVersions: each, serverVersions: each }));
      const { clientVersions, serverVersions } = agreedOn(votes);
      expect(serverVersions).toEqual(clientVersions);
      return clientVersions;
    };
    expect(versions(['0.4.9.11', '0.4.9.9'], undefined, undefined)).toEqual(['0.4.9.9', '0.4.9.11']);
    expect(versions(['1', '2'], ['2', '3'], undefined)).toEqual(['2']);
    expect(versions(undefined, undefined)).toEqual([]);
    expect(versions(['0.4.9.1-alpha', '0.4.9.1', '0.4.10.1', '0.4.9.1-alpha-dev'])).toEqual([
      '0.4.9.1',
      '0.4.9.1-alpha',
      '0.4.9.1-alpha-dev',
      '0.4.10.1',
    ]);
  });

  test('more than half of all authorities must have a shared random value', () => {
    const random = (values: (string | undefined)[], authorities: number) => {
      const votes = values.map((currentRandom, i) => vote(i, [], { currentRandom }));
      return agreedOn(votes, authorities).currentRandom;
    };
    expect(random(['1 a', '1 a', undefined], 3)).toBe('1 a');
    expect(random(['1 a', '1 a'], 4)).toBeUndefined();
    expect(random(['1 a', '1 b', undefined], 3)).toBeUndefined();
  });

  test('the version that most have seen counts, of several the latest', () => {
    const versions = (...seen: string[]) =>
      only(seen.map((version, i) => vote(i, [{ ...first, version }]))).version;
    expect(versions('Tor 0.4.9.9', 'Tor 0.4.9.11')).toBe('Tor 0.4.9.11');
    expect(versions('Tor 0.4.9.9', 'Tor 0.4.9.11', 'Tor 0.4.9.9')).toBe('Tor 0.4.9.9');
    expect(versions('', 'Tor 0.4.9.9', '')).toBe('Tor 0.4.9.9');
    expect(versions('', '')).toBe('');
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
    expect(agreedOn([...votes, vote(3, [])], 4).knownFlags).toEqual([...knownFlags, noEdConsensus].sort());
  });

  test('a relay that most do not call running is left out', () => {
    const down = { ...first, flags: new Set(['Valid']) };
    expect(agreedOn([vote(0, [first]), vote(1, [down]), vote(2, [down])], 3).relays).toHaveLength(0);
    expect(agreedOn([vote(0, [first]), vote(1, [down])], 2).relays).toHaveLength(0);
    expect(agreedOn([vote(0, [first]), vote(1, [first]), vote(2, [down])], 3).relays).toHaveLength(1);
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
    const bandwidths = (votes: Vote[]) => agreedOn(votes, 3).relays.map(({ bandwidth }) => bandwidth);
    expect(bandwidths(measuring(new Map()))).toEqual([20, 9]);
    expect(bandwidths(measuring(new Map([['maxunmeasuredbw', 300]])))).toEqual([300, 9]);
  });

  test('a parameter needs more than half of the authorities, or three', () => {
    const params = (...values: (number | undefined)[]) => {
      const votes = values.map((value, i) =>
        vote(i, [], { params: new Map(value === undefined ? [] : [['p', value]]) }),
      );
      return (authorities: number) => agreedOn(votes, authorities).params.get('p');
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
    expect(agreedOn([a, longer], 2)).toMatchObject({ freshUntilMs: a.freshUntilMs, votingDelay: [2, 1] });
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
          expect(formatConsensus(agreedOn(turned, 4), flavor)).toBe(
            formatConsensus(agreedOn(votes, 4), flavor),
          );
      }),
      { numRuns: 150 },
    );
  });
});
