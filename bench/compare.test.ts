import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runNaulon } from '../scripts/naulon.fixture.ts';
import { changesBetween } from './compare.ts';
import type { Factors, Series } from './trials.ts';

const environment = { commit: 'abc', cpu: 'a cpu', cores: 2, node: 'v20' };
const measures = {
  throughput: { unit: 'MB/s', better: 'more' as const },
  latency: { unit: 'ms', better: 'less' as const },
  payments: { unit: 'a transfer' },
};
const ofPaid: Factors = { subject: 'naulon, paid', circuits: 8 };
const series = (measure: string, factors: Factors, found: number[]): Series => ({
  measure,
  factors,
  values: found,
});
const values = (throughput: number[], latency = [5, 6, 7], payments = [1], bulk = ofPaid) => ({
  bench: 'tor',
  environment,
  settings: { size: 5 },
  measures,
  series: [
    series('throughput', bulk, throughput),
    series('latency', { subject: 'naulon, paid' }, latency),
    series('payments', {}, payments),
  ],
});

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-compare-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const verdicts = (before: ReturnType<typeof values>, after: ReturnType<typeof values>) =>
  changesBetween(before, after).map(({ verdict }) => verdict);

describe('a change', () => {
  const before = values([100, 102, 104]);

  it('is worse or better only beyond the spread of both', () => {
    expect(verdicts(before, values([80, 82, 84]))).toEqual(['worse', 'same']);
    expect(verdicts(before, values([120, 125, 130]))).toEqual(['better', 'same']);
    // One repeat of the later run reaches into the earlier range.
    expect(verdicts(before, values([80, 82, 101]))).toEqual(['same', 'same']);
  });

  it('is judged by which way is better', () => {
    expect(verdicts(before, values([100, 102, 104], [10, 11, 12]))).toEqual(['same', 'worse']);
    expect(verdicts(before, values([100, 102, 104], [1, 2, 3]))).toEqual(['same', 'better']);
  });

  it('is none when it is too small to matter, or has neither better nor worse', () => {
    expect(verdicts(before, values([98, 99, 99.5]))).toEqual(['same', 'same']);
    expect(verdicts(before, values([100, 102, 104], [5, 6, 7], [900]))).toHaveLength(2);
  });

  it('is not judged by fewer than three repeats', () => {
    expect(verdicts(values([100, 101]), values([1, 2]))).toEqual(['too few repeats', 'same']);
  });

  it('is found whatever the order of factors, and only where both files have it', () => {
    const slower = (bulk: Factors) => values([50, 51, 52], [5, 6, 7], [1], bulk);
    expect(verdicts(before, slower({ circuits: 8, subject: 'naulon, paid' }))).toEqual(['worse', 'same']);
    expect(verdicts(before, slower({ circuits: 4, subject: 'naulon, paid' }))).toEqual(['same']);
  });
});

describe('naulon compare', () => {
  const file = (name: string, content: unknown): string => {
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
    return name;
  };
  const compare = (...args: string[]) => runNaulon(['compare', ...args], { cwd: folder });

  it('ends with 1 for a planted regression, and names it', async () => {
    const before = file('before.json', values([100, 102, 104]));
    const slower = file('slower.json', values([80, 82, 84]));
    const { code, out } = await compare(before, slower);
    expect(code).toBe(1);
    expect(out).toMatch(/^throughput +subject naulon, paid, circuits 8 +102 +82 +MB\/s +0\.804 .* +worse$/m);
    expect(out).toContain('1 of 2 got worse');
    expect((await compare(slower, before)).code).toBe(0);
    expect((await compare(before, before)).code).toBe(0);
  });

  it('says when machines or settings differ, and answers as JSON', async () => {
    const before = file('before.json', values([100, 102, 104]));
    const other = {
      ...values([80, 82, 84]),
      settings: { size: 6 },
      environment: { ...environment, cores: 4 },
    };
    const { code, out } = await compare(before, file('other.json', other), '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      worse: 1,
      doubts: [expect.stringContaining('different machines'), expect.stringContaining('settings: size')],
      changes: [{ measure: 'throughput', before: 102, after: 82, verdict: 'worse' }, { verdict: 'same' }],
    });
  });

  it('refuses what cannot be compared', async () => {
    const before = file('before.json', values([100, 102, 104]));
    expect(await compare(before, 'absent.json')).toMatchObject({ code: 3, out: '' });
    const malformed = await compare(before, file('text.json', 'no results'));
    expect(malformed).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^naulon: text\.json holds no.*\n$/),
    });
    const crypto = { ...values([1, 2, 3]), bench: 'crypto' };
    expect(await compare(before, file('crypto.json', crypto))).toMatchObject({ code: 2 });
    expect((await compare(before)).code).toBe(2);
  });
});
