import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventQueue } from './event-queue.ts';
import { SeededEntropy } from './seeded-entropy.ts';
import { SimNode } from './sim-node.ts';
import { TraceHash } from './trace-hash.ts';
import { VirtualClock } from './virtual-clock.ts';
import { World } from './world.ts';

describe('the event queue', () => {
  it('gives events by time, equal times in the order in which they came', () => {
    const delays = fc.array(fc.tuple(fc.nat(20), fc.boolean()), { maxLength: 300 });
    fc.assert(
      fc.property(delays, pushes => {
        const queue = new EventQueue();
        const ran: [number, number][] = [];
        const expected: [number, number][] = [];
        pushes.forEach(([timeUs, cancelled], order) => {
          const event = queue.push(timeUs, () => ran.push([timeUs, order]));
          if (cancelled) queue.cancel(event);
          else expected.push([timeUs, order]);
        });
        for (let event = queue.pop(); event !== undefined; event = queue.pop()) event.run?.();
        expected.sort(([timeA, orderA], [timeB, orderB]) => timeA - timeB || orderA - orderB);
        expect(ran).toEqual(expected);
      }),
    );
  });

  it('stays in order when most of it was cancelled and swept', () => {
    const queue = new EventQueue();
    const events = Array.from({ length: 5_000 }, (_, i) => queue.push((i * 7_919) % 5_000, () => {}));
    for (const event of events) if (event.timeUs % 10 !== 0) queue.cancel(event);
    const times: number[] = [];
    for (let event = queue.pop(); event !== undefined; event = queue.pop()) times.push(event.timeUs);
    expect(times).toEqual(Array.from({ length: 500 }, (_, i) => i * 10));
  });
});

describe('the world', () => {
  it('stops where its limits say', () => {
    const world = new World({ seed: 1 });
    const tick = () => world.after(1_000, tick);
    tick();
    expect(world.runUntil(() => world.nowUs >= 5_000)).toBe('done');
    expect(world.runUntil(() => false, { steps: 3 })).toBe('steps');
    expect(world.runUntil(() => false, { virtualMs: 10 })).toBe('time');
    expect(world.nowUs).toBe(18_000);
    expect(new World({ seed: 1 }).runUntilIdle()).toBe('idle');
  });

  it('catches a call into one node while another runs, and a step inside a handler', () => {
    const world = new World({ seed: 1 });
    const [a, b] = [new SimNode(world, 'a'), new SimNode(world, 'b')];
    expect(() => a.turn(() => b.turn(() => {}))).toThrow(/re-entry/);
    expect(() => a.turn(() => world.step())).toThrow(/re-entry/);
    expect(() => a.turn(() => b.observer.count('naulon_cells_total'))).toThrow(/out of its turn/);
    expect(() => a.observer.count('naulon_cells_total')).toThrow(/out of its turn/);
  });

  it('keeps events of a stalled node in order, and drops those of a dead one', () => {
    const world = new World({ seed: 1 });
    const node = new SimNode(world, 'a');
    const seen: string[] = [];
    node.later(1_000, () => seen.push(`first ${world.nowUs}`));
    node.later(2_000, () => seen.push(`second ${world.nowUs}`));
    node.stall(50);
    world.runUntilIdle();
    expect(seen).toEqual(['first 50000', 'second 50000']);
    node.later(1_000, () => seen.push('dead'));
    node.die();
    world.runUntilIdle();
    expect(seen).toHaveLength(2);
  });
});

describe('a virtual clock', () => {
  it('runs timers at their time, and lets its wall clock be wrong without moving them', () => {
    const world = new World({ seed: 1, wallMs: 5_000 });
    world.runFor(100);
    const node = new SimNode(world, 'a');
    const clock = new VirtualClock(node, -1_000);
    const seen: number[] = [];
    const cancel = node.turn(() => {
      clock.after(20, () => seen.push(clock.monotonicMs()));
      return clock.after(10, () => seen.push(-1));
    });
    clock.jumpWall(100_000);
    cancel();
    world.runUntilIdle();
    expect(seen).toEqual([20]);
    expect(clock.wallMs()).toBe(5_000 + 120 - 1_000 + 100_000);
  });
});

describe('seeded entropy', () => {
  it('follows from the seed and the name, not from how it is drawn or what others draw', () => {
    const whole = new SeededEntropy(7).fork('a').bytes(10_000);
    const parts = new SeededEntropy(7);
    parts.bytes(5);
    const fork = parts.fork('a');
    const drawn = [3, 4_093, 1, 5_903].map(length => fork.bytes(length));
    expect(Buffer.concat(drawn).equals(Buffer.from(whole))).toBe(true);
    expect(new SeededEntropy(8).fork('a').bytes(16)).not.toEqual(whole.subarray(0, 16));
    expect(new SeededEntropy(7).fork('b').bytes(16)).not.toEqual(whole.subarray(0, 16));
  });

  it('draws every number of a range', () => {
    const entropy = new SeededEntropy(1);
    const drawn = new Set(Array.from({ length: 500 }, () => entropy.between(3, 12)));
    expect([...drawn].sort((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });
});

describe('the trace hash', () => {
  const record = { timeUs: 5, who: 2, what: 'link bytes', a: 1, b: 3, bytes: Uint8Array.of(1, 2, 3) };
  const digest = (...records: Partial<typeof record>[]) => {
    const trace = new TraceHash();
    for (const changed of records) {
      const { timeUs, who, what, a, b, bytes } = { ...record, ...changed };
      trace.record(timeUs, who, what, a, b, bytes);
    }
    return trace.digest();
  };

  it('sees every field, and the bytes whatever their length', () => {
    const changes: Partial<typeof record>[] = [
      { timeUs: 6 },
      { who: 3 },
      { what: 'link write' },
      { a: 2 },
      { b: 4 },
      { bytes: Uint8Array.of(1, 2, 4) },
      { bytes: new Uint8Array(70_000) },
      { bytes: new Uint8Array(70_001) },
    ];
    const digests = [digest({}), digest({}, {}), ...changes.map(change => digest(change))];
    expect(new Set(digests).size).toBe(digests.length);
    expect(digest({}, { bytes: new Uint8Array(70_000) })).toBe(digest({}, { bytes: new Uint8Array(70_000) }));
  });

  it('can be asked in between', () => {
    const trace = new TraceHash();
    trace.record(1, 1, 'a');
    trace.digest();
    trace.record(2, 1, 'b');
    const straight = new TraceHash();
    straight.record(1, 1, 'a');
    straight.record(2, 1, 'b');
    expect(trace.digest()).toBe(straight.digest());
  });
});
