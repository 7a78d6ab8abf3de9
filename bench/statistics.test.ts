import fc from 'fast-check';
import { expect, test } from 'vitest';
import { spreadOf } from './statistics.ts';

test('the median of an even count lies between the middle two', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ repeats: 4, min: 1, median: 2.5, max: 4 });
  expect(spreadOf([7])).toEqual({ repeats: 1, min: 7, median: 7, max: 7 });
});

test('min <= median <= max, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1 }), values => {
      const { min, median, max } = spreadOf(values);
      return min <= median && median <= max;
    }),
  );
});
