import { expect, test } from 'vitest';
import { linkOf, parseBytesPerSecond, parseRoundTripMs } from './wide-area.ts';

test('a path is as long with one link as with three', () => {
  const wide = { roundTripMs: 300, bytesPerSecond: 5_000_000 };
  expect(linkOf(wide, 1).delayMs * 2).toBe(300);
  expect(linkOf(wide, 3).delayMs * 2 * 3).toBe(300);
});

test('times and rates are read with their units', () => {
  expect(['300ms', '0.3s', '1 s', '300', 'ms'].map(parseRoundTripMs)).toEqual([
    300,
    300,
    1_000,
    undefined,
    undefined,
  ]);
  expect(['5MB/s', '800 kB/s', '0.5GB/s', '5MB', '5 Mbit/s'].map(parseBytesPerSecond)).toEqual([
    5e6,
    8e5,
    5e8,
    undefined,
    undefined,
  ]);
});
