import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cellsFor, formatPrice, msatFor, parsePrice } from './price.ts';

const price = fc.bigInt({ min: 1n, max: (1n << 64n) - 1n });

test('what people write is read exactly or refused', () => {
  const read = (text: string) => {
    const parsed = parsePrice(text);
    return parsed.ok ? parsed.value : parsed.fault.code;
  };
  expect(read('100000 sat/GiB')).toBe(50_000_000n);
  expect(read('0.002 sat/GiB')).toBe(1n);
  expect(read('2 msat/cell')).toBe(2n << 20n);
  expect(read('0 sat/GiB')).toBe(0n);
  expect(read('0')).toBe(0n);
  for (const wrong of [
    '',
    'x',
    '1',
    '1 sat',
    '-1 sat/GiB',
    '1e9 sat/GiB',
    '0.001 sat/GiB',
    '99999999999999999999 sat/GiB',
    // 2^64 msat for 2^20 cells, which no field of a message holds.
    '17592186044416 msat/cell',
  ])
    expect(read(wrong)).toBe('PRICE_MALFORMED');
  expect(read('17592186044415 msat/cell')).toBe((1n << 64n) - (1n << 20n));
});

test('a price printed is read back as the same', () => {
  fc.assert(
    fc.property(price, each => {
      const parsed = parsePrice(formatPrice(each));
      return parsed.ok && parsed.value === each;
    }),
  );
});

test('msatFor is the least value that buys the cells', () => {
  fc.assert(
    fc.property(price, fc.bigInt({ min: 1n, max: 1n << 40n }), (each, cells) => {
      const msat = msatFor(cells, each);
      return cellsFor(msat, each) >= cells && (msat === 0n || cellsFor(msat - 1n, each) < cells);
    }),
  );
});
