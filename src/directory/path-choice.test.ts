import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalBytes, toHex } from '../base/bytes.ts';
import { guardsMax } from '../base/limits.ts';
import {
  bandwidthTotals,
  computeBandwidthWeights,
  type PathPosition,
  relayWeight,
  weightScale,
} from './bandwidth-weights.ts';
import type { Consensus } from './consensus.ts';
import { GuardSet } from './guard-set.ts';
import { NetworkView } from './network-view.ts';
import { choosePath, mayShareCircuit } from './path-choice.ts';
import { parsePortPolicy, rejectsAllPorts } from './port-policy.ts';
import type { RelayInfo } from './relay-info.ts';
import { must, seeded, wallMs } from './small-network.fixture.ts';
import { chooseWeighted, randomBelow } from './weighted-choice.ts';

function relay(index: number, flags: string, bandwidth: number, change: Partial<RelayInfo> = {}): RelayInfo {
  const id = seeded(`relay ${index}`);
  return {
    nickname: `relay${index}`,
    rsaId: id.bytes(20),
    ed25519: id.bytes(32),
    ntorKey: id.bytes(32),
    address: { host: `10.${index}.0.1`, port: 9001 },
    ipv6: undefined,
    dirPort: 0,
    flags: new Set(['V2Dir', 'Fast', ...flags.split(' ')]),
    bandwidth,
    exitPolicy: flags.includes('Exit') ? parsePortPolicy('accept 80,443,8000-9000')! : rejectsAllPorts,
    exitPolicyIpv6: rejectsAllPorts,
    version: '',
    protocols: new Map(),
    family: [],
    familyIds: [],
    microdescriptorDigest: id.bytes(32),
    priceMsatPer2Pow20: 0n,
    paySchemes: [],
    ...change,
  };
}

function viewOf(relays: readonly RelayInfo[], weights: ReadonlyMap<string, number> = new Map()): NetworkView {
  const consensus = {
    relays: relays as unknown as Consensus['relays'],
    validAfterMs: wallMs,
    freshUntilMs: wallMs + 1,
    validUntilMs: wallMs + 2,
    params: new Map(),
    bandwidthWeights: weights,
  };
  return new NetworkView(consensus as unknown as Consensus, relays);
}

const relays = [
  relay(1, 'Guard', 3000),
  relay(2, 'Guard', 1000),
  relay(3, 'Fast', 2000),
  relay(4, 'Fast', 500),
  relay(5, 'Exit', 4000),
  relay(6, 'Exit Guard', 1500),
  relay(7, 'Exit BadExit', 9000),
];
const totals = bandwidthTotals(relays.slice(0, 6));
const weights = computeBandwidthWeights(totals);
const exitTo = { host: 'example.com', port: 443 };
const lab = { distinctSubnets: false };

describe('weighted choice', () => {
  test('takes each item as often as its weight says', () => {
    const entropy = seeded('weights');
    const items = [1, 0, 5, 94];
    const counts = new Map<number, number>();
    const draws = 20_000;
    for (let i = 0; i < draws; i++) {
      const item = chooseWeighted(items, weight => weight, entropy)!;
      counts.set(item, (counts.get(item) ?? 0) + 1);
    }
    expect(counts.get(0)).toBeUndefined();
    for (const item of [1, 5, 94]) {
      const expected = (draws * item) / 100;
      const sigma = Math.sqrt((expected * (100 - item)) / 100);
      expect(Math.abs(counts.get(item)! - expected)).toBeLessThan(5 * sigma);
    }
  });

  test('takes any when all weights are 0, and none of none', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 100; i++) seen.add(chooseWeighted(['a', 'b'], () => 0, seeded(`zero ${i}`))!);
    expect([...seen].sort()).toEqual(['a', 'b']);
    expect(chooseWeighted([], () => 1, seeded('none'))).toBeUndefined();
  });

  test('draws below any limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.string(), (limit, seed) => {
        const value = randomBelow(limit, seeded(seed));
        expect(Number.isInteger(value) && value >= 0 && value < limit).toBe(true);
      }),
    );
  });
});

describe('bandwidth weights', () => {
  test('balance guards, middles and exits where they can be, and always add up', () => {
    const bandwidth = fc.integer({ min: 1, max: 10_000_000 });
    let solved = 0;
    fc.assert(
      fc.property(bandwidth, bandwidth, bandwidth, bandwidth, (g, m, e, d) => {
        const found = computeBandwidthWeights({ g, m, e, d });
        if (found.size === 0) return;
        solved += 1;
        const w = (name: string) => found.get(name)!;
        for (const [, value] of found) {
          expect(Number.isInteger(value)).toBe(true);
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(weightScale);
        }
        expect(Math.abs(w('Wgg') + w('Wmg') - weightScale)).toBeLessThanOrEqual(10);
        expect(Math.abs(w('Wee') + w('Wme') - weightScale)).toBeLessThanOrEqual(10);
        expect(Math.abs(w('Wgd') + w('Wmd') + w('Wed') - weightScale)).toBeLessThanOrEqual(10);
      }),
      { numRuns: 2_000 },
    );
    expect(solved).toBeGreaterThan(1_500);
  });

  test('are the specification’s in each of its cases', () => {
    const of = (g: number, m: number, e: number, d: number) => {
      const found = computeBandwidthWeights({ g, m, e, d });
      return ['Wgg', 'Wgd', 'Wmg', 'Wme', 'Wmd', 'Wee', 'Wed'].map(name => found.get(name));
    };
    // 1: neither is scarce
    expect(of(300, 100, 300, 100)).toEqual([7778, 3333, 2222, 2223, 3333, 7777, 3333]);
    // 2a: both are scarce, and exits more so than relays that are both can mend
    expect(of(300, 690, 10, 20)).toEqual([10_000, 0, 0, 0, 0, 10_000, 10_000]);
    // 3a: exits alone are scarce
    expect(of(500, 300, 10, 20)).toEqual([8000, 0, 2000, 0, 0, 10_000, 10_000]);
    expect(of(10, 300, 500, 20)).toEqual([10_000, 10_000, 0, 2000, 0, 8000, 0]);
  });
});

describe('path choice', () => {
  const view = viewOf(relays, weights);
  const wish = { view, hops: 3, exitTo, ...lab };

  test('gives an exit that may, a guard, a middle, all different', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 5 }), (seed, hops) => {
        const path = must(choosePath({ ...wish, hops, entropy: seeded(seed) }));
        expect(path).toHaveLength(hops);
        expect(new Set(path.map(each => toHex(each.rsaId))).size).toBe(hops);
        const exit = path[hops - 1];
        expect(exit.flags.has('Exit') && !exit.flags.has('BadExit')).toBe(true);
        if (hops > 1) expect(path[0].flags.has('Guard')).toBe(true);
      }),
    );
  });

  test.each<[PathPosition, number]>([
    ['exit', 2],
    ['guard', 0],
    ['middle', 1],
  ])('takes %s relays as their weights say', (position, hop) => {
    const entropy = seeded(`statistics ${position}`);
    const draws = 6_000;
    const counts = new Map<string, number>();
    for (let i = 0; i < draws; i++) {
      // A single place to fill: the others are fixed to relays that are no candidates there.
      const fixed = new Map<number, RelayInfo>();
      if (hop !== 2) fixed.set(2, relays[4]);
      if (hop === 1) fixed.set(0, relays[0]);
      const path = must(choosePath({ ...wish, fixed, entropy }));
      const name = path[hop].nickname;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const candidates = relays.filter(each => {
      if (position === 'exit') return each.flags.has('Exit') && !each.flags.has('BadExit');
      if (position === 'guard') return each.flags.has('Guard') && each !== relays[4];
      return each !== relays[4] && each !== relays[0];
    });
    const weigh = (each: RelayInfo) => relayWeight(each, position, weights);
    const total = candidates.reduce((sum, each) => sum + weigh(each), 0);
    for (const each of candidates) {
      const share = weigh(each) / total;
      const sigma = Math.sqrt(draws * share * (1 - share));
      expect(Math.abs((counts.get(each.nickname) ?? 0) - draws * share), each.nickname).toBeLessThanOrEqual(
        5 * sigma,
      );
    }
  });

  test('honours exit policies by port and family, and port 0 for look-ups', () => {
    const entropy = seeded('policy');
    expect(choosePath({ ...wish, exitTo: { host: 'a.b', port: 25 }, entropy })).toMatchObject({
      fault: { code: 'PATH_NO_EXIT' },
    });
    expect(choosePath({ ...wish, exitTo: { host: '::1', port: 443 }, entropy })).toMatchObject({
      fault: { code: 'PATH_NO_EXIT' },
    });
    expect(choosePath({ ...wish, exitTo: { host: 'a.b', port: 0 }, entropy }).ok).toBe(true);
    expect(choosePath({ ...wish, fixed: new Map([[2, relays[0]]]), entropy })).toMatchObject({
      fault: { code: 'PATH_NO_EXIT' },
    });
  });

  test('without destination the last hop may be any relay', () => {
    const path = must(choosePath({ view, hops: 1, ...lab, entropy: seeded('any') }));
    expect(path).toHaveLength(1);
  });

  test('takes the first guard that fits', () => {
    const guards = [relays[5], relays[1], relays[0]].map(each => each.rsaId);
    for (let i = 0; i < 30; i++) {
      const path = must(choosePath({ ...wish, guards, entropy: seeded(`guard ${i}`) }));
      expect(path[0]).toBe(path[2] === relays[5] ? relays[1] : relays[5]);
    }
    expect(choosePath({ ...wish, guards: [], entropy: seeded('g') })).toMatchObject({
      fault: { code: 'PATH_NO_GUARD' },
    });
  });

  test('leaves out what must not be the exit, or is not accepted', () => {
    const notExits = new Set([toHex(relays[4].rsaId), toHex(relays[5].rsaId)]);
    expect(choosePath({ ...wish, notExits, entropy: seeded('x') })).toMatchObject({
      fault: { code: 'PATH_NO_EXIT' },
    });
    const accepts = (each: RelayInfo) => each !== relays[4];
    for (let i = 0; i < 20; i++)
      expect(must(choosePath({ ...wish, accepts, entropy: seeded(`x ${i}`) }))[2]).toBe(relays[5]);
  });

  test('leaves an exit that no guard goes with for one that works', () => {
    const guards = [relays[5].rsaId];
    for (let i = 0; i < 20; i++)
      expect(must(choosePath({ ...wish, guards, entropy: seeded(`guard ${i}`) }))[2]).toBe(relays[4]);
  });

  test('leaves an exit that no middle goes with for one that works', () => {
    const lonely = relay(21, 'Exit', 9000, { family: ['relay22', 'relay23'] });
    const exit = relay(22, 'Exit', 1, { family: ['relay21'] });
    const middle = relay(23, 'Fast', 1, { family: ['relay21'] });
    const few = viewOf([lonely, exit, middle, relay(24, 'Guard', 1)]);
    for (let i = 0; i < 20; i++) {
      const entropy = seeded(`middle ${i}`);
      expect(must(choosePath({ ...wish, view: few, distinctSubnets: true, entropy }))[2]).toBe(exit);
    }
  });

  test('never puts two relays of a subnet or a family into one path', () => {
    const near = relay(8, 'Fast', 1, { address: { host: '10.1.9.9', port: 1 } });
    expect(mayShareCircuit(relays[0], near, true)).toBe(false);
    expect(mayShareCircuit(relays[0], near, false)).toBe(true);
    const six = (host: string) => ({ ipv6: { host, port: 1 } });
    expect(
      mayShareCircuit(relay(1, '', 1, six('2001:db8::1')), relay(2, '', 1, six('2001:db8:1::1')), true),
    ).toBe(false);
    const one = relay(11, '', 1, { family: ['RELAY12'] });
    const named = `$${toHex(one.rsaId)}`;
    for (const distinctSubnets of [true, false])
      expect(mayShareCircuit(one, relay(12, '', 1, { family: [named] }), distinctSubnets)).toBe(false);
    expect(mayShareCircuit(one, relay(12, '', 1), true)).toBe(true);
    const proven = (index: number, ...familyIds: string[]) => relay(index, '', 1, { familyIds });
    expect(mayShareCircuit(proven(13, 'ed25519:a', 'ed25519:b'), proven(14, 'ed25519:b'), false)).toBe(false);
    expect(mayShareCircuit(proven(13, 'ed25519:a'), proven(14, 'ed25519:b'), false)).toBe(true);
    const only = viewOf([relays[0], relays[4], near]);
    expect(choosePath({ ...wish, view: only, distinctSubnets: true, entropy: seeded('s') })).toMatchObject({
      fault: { code: 'PATH_NO_MIDDLE' },
    });
  });

  test('keeps slow relays out, and long-lived streams to stable ones, while there are others', () => {
    const exits = { exitPolicy: parsePortPolicy('accept 22,80')! };
    const slow = (index: number, flags: string, change: Partial<RelayInfo> = {}): RelayInfo => {
      const each = relay(index, flags, 1_000_000, change);
      return { ...each, flags: new Set([...each.flags].filter(flag => flag !== 'Fast')) };
    };
    const steady = [relay(31, 'Exit Stable', 1, exits), relay(32, 'Stable', 1)];
    const moody = [relay(33, 'Exit', 9000, exits), relay(34, '', 9000)];
    const all = [
      ...steady,
      ...moody,
      slow(35, 'Exit Stable', exits),
      slow(36, 'Stable'),
      relay(37, 'Guard', 1),
    ];
    const paths = (relaysOf: readonly RelayInfo[], port: number) =>
      Array.from({ length: 30 }, (_, index) => {
        const wanted = { host: 'a.b', port };
        const path = choosePath({
          ...wish,
          view: viewOf(relaysOf),
          exitTo: wanted,
          entropy: seeded(`${index}`),
        });
        return must(path).slice(1);
      });
    for (const [middle, exit] of paths(all, 22)) expect([exit, middle]).toEqual(steady);
    const used = new Set(paths(all, 80).flat());
    expect(moody.every(each => used.has(each))).toBe(true);
    expect([...used].every(each => each.flags.has('Fast'))).toBe(true);
    // Where there are no others, they serve.
    const few = [all[4], all[5], all[6]];
    for (const port of [22, 80]) expect(new Set(paths(few, port).flat())).toEqual(new Set([all[4], all[5]]));
  });

  test('refuses wishes that cannot be meant', () => {
    for (const hops of [0, -1, 1.5, 99])
      expect(choosePath({ ...wish, hops, entropy: seeded('h') })).toMatchObject({
        fault: { code: 'PATH_BAD_WISH' },
      });
    const twice = new Map([
      [0, relays[4]],
      [2, relays[4]],
    ]);
    expect(choosePath({ ...wish, fixed: twice, entropy: seeded('h') })).toMatchObject({
      fault: { code: 'PATH_CONFLICT' },
    });
  });
});

describe('guards', () => {
  const view = viewOf(relays, weights);

  test('are kept across restarts, in their order', () => {
    const set = new GuardSet({ sampleSize: 3 });
    expect(set.refresh(view, wallMs, seeded('guards'))).toBe(true);
    expect(set.refresh(view, wallMs + 1000, seeded('other'))).toBe(false);
    expect(set.size).toBe(3);
    const again = new GuardSet({ sampleSize: 3 });
    again.decode(set.encode());
    expect(again.usable(wallMs)).toEqual(set.usable(wallMs));
    again.decode('junk\n\0\n');
    expect(again.size).toBe(0);
  });

  test('that failed come last for a while', () => {
    const set = new GuardSet({ retryMs: 1000 });
    set.refresh(view, wallMs, seeded('guards'));
    const [first, ...others] = set.usable(wallMs);
    set.markFailed(first, wallMs);
    expect(set.usable(wallMs)).toEqual([...others, first]);
    expect(set.usable(wallMs + 1000)[0]).toEqual(first);
    set.markFailed(first, wallMs);
    set.markWorking(first);
    expect(set.usable(wallMs)[0]).toEqual(first);
  });

  test('are replaced when they are old', () => {
    const set = new GuardSet({ sampleSize: 1, lifetimeMs: 1000 });
    set.refresh(view, wallMs, seeded('a'));
    const before = set.encode();
    expect(set.refresh(view, wallMs + 1000, seeded('b'))).toBe(true);
    expect(set.encode()).not.toBe(before);
  });

  test('that were sampled together are replaced one after the other, after nine tenths of their life at the soonest', () => {
    const many = Array.from({ length: 40 }, (_, index) => relay(index, 'Guard', 1));
    const [first, others] = [viewOf(many.slice(0, 20)), viewOf(many)];
    const set = new GuardSet({ sampleSize: 20, lifetimeMs: 1_000_000 });
    set.refresh(first, wallMs, seeded('a'));
    const before = set.encode().trim().split('\n');
    const left = (ms: number): number => {
      set.refresh(others, wallMs + ms, seeded(`${ms}`));
      const now = set.encode();
      return before.filter(each => now.includes(each)).length;
    };
    expect(left(900_000)).toBe(20);
    const half = left(950_000);
    expect(half).toBeGreaterThan(3);
    expect(half).toBeLessThan(17);
    expect(left(1_000_000)).toBe(0);
  });

  test('are remembered for a while when they are gone, over a restart too', () => {
    const options = { sampleSize: 1, unlistedMsMax: 5000 };
    const set = new GuardSet(options);
    set.refresh(view, wallMs, seeded('a'));
    const [guard] = set.usable(wallMs);
    const without = viewOf(relays.filter(each => !equalBytes(each.rsaId, guard)));
    expect(set.refresh(without, wallMs + 1000, seeded('b'))).toBe(true);
    const [second] = set.usable(wallMs + 1000);
    expect(set.usable(wallMs + 1000)).toEqual([second]);
    expect(second).not.toEqual(guard);
    const again = new GuardSet(options);
    again.decode(set.encode());
    expect(again.usable(wallMs + 2000)).toEqual([second]);
    again.refresh(view, wallMs + 3000, seeded('c'));
    expect(again.usable(wallMs + 3000)).toEqual([guard, second]);
    set.refresh(without, wallMs + 6000, seeded('d'));
    set.refresh(view, wallMs + 6000, seeded('d'));
    expect(set.usable(wallMs + 6000)).toEqual([second]);
  });

  test('are sampled until enough of them are accepted', () => {
    const set = new GuardSet({ sampleSize: 1 });
    set.refresh(view, wallMs, seeded('a'));
    const [guard] = set.usable(wallMs);
    const accepts = (each: RelayInfo) => !equalBytes(each.rsaId, guard);
    set.refresh(view, wallMs, seeded('a'), accepts);
    expect(set.size).toBe(2);
    expect(set.refresh(view, wallMs, seeded('b'), accepts)).toBe(false);
  });

  test('are no more than a cap, however many come and go', () => {
    const set = new GuardSet();
    const many = Array.from({ length: 2 * guardsMax }, (_, index) => relay(index, 'Guard', 1));
    for (let at = 0; at < many.length; at += 10)
      set.refresh(viewOf(many.slice(at, at + 10)), wallMs, seeded('c'));
    expect(set.size).toBe(guardsMax);
  });
});
