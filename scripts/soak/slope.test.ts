import { describe, expect, it } from 'vitest';
import { slopeOf } from './slope.ts';

const minute = 60_000;
/** Garbage comes and goes above a floor that grows by so many bytes a minute. */
const run = (minutes: number, bytesPerMinute: number) =>
  Array.from({ length: minutes * 60 }, (_, second) => ({
    atMs: second * 1_000,
    rssBytes: 80e6 + (second / 60) * bytesPerMinute + ((second * 7_919) % 13) * 1e5,
  }));

describe('the slope of resident memory', () => {
  it('is that of its floor, whatever comes and goes above', () => {
    const leak = slopeOf(run(60, 1e5));
    expect(leak?.value).toBeCloseTo(6, 0);
    expect(leak?.low).toBeGreaterThan(1);
    const flat = slopeOf(run(60, 0));
    expect(Math.abs(flat?.value ?? 9)).toBeLessThan(0.5);
    expect(flat?.high).toBeLessThan(1);
  });

  it('has wide bounds after a short run, and says nothing after a moment', () => {
    const short = slopeOf(run(1, 0));
    expect((short?.high ?? 0) - (short?.low ?? 0)).toBeGreaterThan(1);
    expect(
      slopeOf([
        { atMs: 0, rssBytes: 1 },
        { atMs: minute, rssBytes: 1 },
      ]),
    ).toBeUndefined();
  });
});
