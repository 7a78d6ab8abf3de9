import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fittedCost, growthOf } from './growth.ts';

const sizes = [3, 6, 12, 25, 50, 100];

test('a power is found again, whatever its factor', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -2, max: 3, noNaN: true }),
      fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
      (exponent, factor) => {
        const growth = growthOf(sizes.map(size => ({ size, values: [factor * size ** exponent] })));
        expect(growth?.exponent.value).toBeCloseTo(exponent, 6);
        expect(growth?.exponent.low).toBeCloseTo(exponent, 6);
        expect((growth?.factor ?? 0) / factor).toBeCloseTo(1, 6);
        expect(growth?.bend).toBeUndefined();
      },
    ),
    { numRuns: 20 },
  );
});

test('the bounds hold what repeats may differ by', () => {
  const noise = [0.8, 1, 1.25];
  const growth = growthOf(sizes.map(size => ({ size, values: noise.map(each => each * size) })));
  expect(growth?.exponent.value).toBeCloseTo(1, 6);
  expect(growth?.exponent.low).toBeLessThan(0.99);
  expect(growth?.exponent.high).toBeGreaterThan(1.01);
});

test('a bend is found where it is', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(6, 12, 25, 50),
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.double({ min: 0.3, max: 2, noNaN: true }),
      (at, below, turn) => {
        const cost = (size: number) => size ** below * Math.max(1, size / at) ** turn;
        const growth = growthOf(sizes.map(size => ({ size, values: [cost(size)] })))!;
        const { bend } = growth;
        expect(bend?.at).toBe(at);
        for (const size of sizes) expect(fittedCost(growth, size) / cost(size)).toBeCloseTo(1, 6);
        expect(bend?.exponentBelow).toBeCloseTo(below, 6);
        expect(bend?.exponentAbove).toBeCloseTo(below + turn, 6);
      },
    ),
    { numRuns: 20 },
  );
});

test('noise around a straight line is no bend, and three sizes cannot show one', () => {
  const zigzag = sizes.map((size, at) => ({ size, values: [size * (at % 2 === 0 ? 1.1 : 0.9)] }));
  expect(growthOf(zigzag)?.bend).toBeUndefined();
  expect(growthOf([1, 10, 100].map(size => ({ size, values: [size < 100 ? 1 : 9] })))?.bend).toBeUndefined();
});

test('one size says nothing of growth', () => {
  expect(growthOf([{ size: 3, values: [1, 2] }])).toBeUndefined();
});
