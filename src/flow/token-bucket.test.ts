import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';
import { VirtualTime } from './virtual-link.fixture.ts';

const rates = fc.integer({ min: 1, max: 10_000_000 });
const bursts = fc.integer({ min: 1, max: 20_000_000 });
const uses = fc.array(
  fc.record({ afterMs: fc.nat({ max: 5_000 }), take: fc.integer({ min: 1, max: 65_536 }) }),
  { minLength: 1, maxLength: 60 },
);

test('no stretch of time sees more than the burst, the rate, and what was taken last', () => {
  fc.assert(
    fc.property(rates, bursts, uses, (rate, burst, wanted) => {
      const time = new VirtualTime();
      const bucket = new TokenBucket(time, rate, burst);
      const taken: { atMs: number; count: number }[] = [];
      for (const { afterMs, take } of wanted) {
        time.runUntil(time.monotonicMs() + afterMs);
        if (bucket.waitMs() > 0) continue;
        bucket.take(take);
        taken.push({ atMs: time.monotonicMs(), count: take });
      }
      for (const [first, { atMs }] of taken.entries()) {
        let sum = 0;
        for (const last of taken.slice(first)) {
          const seconds = (last.atMs - atMs) / 1_000;
          expect(sum).toBeLessThan(burst + rate * seconds + 1);
          sum += last.count;
        }
      }
    }),
  );
});

test('who waits as long as it says finds something, and not a millisecond before', () => {
  fc.assert(
    fc.property(rates, bursts, uses, (rate, burst, wanted) => {
      const time = new VirtualTime();
      const bucket = new TokenBucket(time, rate, burst);
      for (const { take } of wanted) {
        bucket.take(take);
        const waitMs = bucket.waitMs();
        if (waitMs > 1) {
          time.runUntil(time.monotonicMs() + waitMs - 1);
          expect(bucket.level()).toBeLessThan(1);
        }
        time.runUntil(time.monotonicMs() + 1);
        expect(bucket.level()).toBeGreaterThan(0);
        expect(bucket.open).toBe(true);
      }
    }),
    // What floating point made a millisecond too long.
    { examples: [[9, 1, [{ afterMs: 0, take: 9 }]]] },
  );
});

test('nobody who asks in between changes what there is', () => {
  fc.assert(
    fc.property(rates, bursts, uses, (rate, burst, wanted) => {
      const time = new VirtualTime();
      const [asked, alone] = [new TokenBucket(time, rate, burst), new TokenBucket(time, rate, burst)];
      for (const { afterMs, take } of wanted) {
        const from = time.monotonicMs();
        time.runUntil(from + afterMs / 3);
        asked.level();
        time.runUntil(from + afterMs);
        asked.take(take);
        alone.take(take);
      }
      expect(asked.level()).toBeCloseTo(alone.level(), 3);
    }),
  );
});

test('a debt is paid before anything is free', () => {
  const time = new VirtualTime();
  const bucket = new TokenBucket(time, 1_000, 500);
  expect(bucket.take(2_500)).toBe(false);
  expect(bucket.waitMs()).toBe(2_001);
  time.runUntil(2_000);
  expect(bucket.level()).toBe(0);
  time.runUntil(60_000);
  expect(bucket.level()).toBe(500);
});
