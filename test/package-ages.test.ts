import { describe, expect, it } from 'vitest';
import { lockedPackages, packageAges, tooYoung } from '../scripts/package-ages.ts';

describe('packages that are installed', () => {
  it('were all published two weeks ago or longer', () => {
    expect(tooYoung(lockedPackages(), packageAges(), Date.now())).toEqual([]);
  });

  it('are found out where one is younger, or nothing is known of it', () => {
    const ages = { 'old@1.0.0': '2026-01-01T00:00:00Z', 'young@1.0.0': '2026-01-02T00:00:00Z' };
    const nowMs = Date.parse('2026-01-15T12:00:00Z');
    expect(tooYoung([...Object.keys(ages), 'strange@1.0.0'], ages, nowMs)).toEqual([
      'young@1.0.0',
      'strange@1.0.0',
    ]);
  });
});
