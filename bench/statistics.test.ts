import fc from 'fast-check';
import { expect, test } from 'vitest';
import { estimateOf, quantileOf, ratioOf, spreadOf } from './statistics.ts';

const values = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 20 });

test('the median of an even count lies between the middle two', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ repeats: 4, min: 1, median: 2.5, max: 4 });
  expect(spreadOf([7])).toEqual({ repeats: 1, min: 7, median: 7, max: 7 });
});

test('min <= median <= max, whatever the order', () => {
  fc.assert(
    fc.property(values, some => {
      const { min, median, max } = spreadOf(some);
      return min <= median && median <= max;
    }),
  );
});

test('a quantile is one of the values', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0, 0.5, 0.99, 1].map(share => quantileOf(hundred, share))).toEqual([1, 50, 99, 100]);
  expect(quantileOf([3], 0.99)).toBe(3);
});

test('the bounds hold the estimate and lie within what was measured', () => {
  fc.assert(
    fc.property(values, some => {
      const { min, median, max } = spreadOf(some);
      const { value, low, high } = estimateOf(some);
      return value === median && min <= low && low <= value && value <= high && high <= max;
    }),
    { numRuns: 30 },
  );
});

test('the bounds of a ratio leave 1 outside when the ranges of three repeats do not overlap, and only then', () => {
  const twice = ratioOf([20, 21, 22], [10, 10.5, 11]);
  expect(twice.value).toBe(2);
  expect([twice.low, twice.high]).toEqual([20 / 11, 22 / 10]);
  const same = ratioOf([9, 10, 12], [10, 11, 13]);
  expect(same.low).toBeLessThan(1);
  expect(same.high).toBeGreaterThan(1);
});

test('equal values have equal bounds, each time', () => {
  expect(ratioOf([1, 2, 3, 4], [2, 3, 5])).toEqual(ratioOf([1, 2, 3, 4], [2, 3, 5]));
  expect(ratioOf([2, 2, 2], [4, 4, 4])).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
});
