import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runNaulon } from '../scripts/naulon.fixture.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-bench-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each([
  ['crypto', ['AES', 'SHA-1', 'layer', 'x25519', 'ntor', 'sign', 'verify'], 5],
  ['pay', ['Pay', 'Redeem'], 5],
] as const)('bench %s', (bench, operations, findings) => {
  it('measures all that it names, and leaves its results as files', async () => {
    const args = ['bench', bench, '--quick', '--repeat', '2', '--out', 'here', '--json'];
    const { code, out, err } = await runNaulon(args, { cwd: folder });
    expect([code, err]).toEqual([0, expect.stringContaining('2/')]);
    const [results, ...compared] = out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(compared.map(each => each.bench)).toEqual(bench === 'pay' ? ['schemes', 'schemes-window'] : []);
    expect(results).toMatchObject({
      bench,
      environment: { node: process.version, cores: expect.any(Number), loadBefore: expect.any(Number) },
      settings: { repeat: 2 },
    });
    const measured = results.series.map(
      (each: { factors: { operation?: string } }) => each.factors.operation,
    );
    expect(new Set(measured.filter(Boolean))).toEqual(new Set(operations));
    for (const { values, min, median, max } of results.series) {
      expect(values).toHaveLength(2);
      expect(min).toBeGreaterThan(0);
      expect([min, median, max]).toEqual([min, median, max].sort((a, b) => a - b));
    }
    expect(results.findings).toHaveLength(findings);
    const files = [results, ...compared].flatMap(each => each.files);
    for (const file of files) expect(existsSync(join(folder, file))).toBe(true);
  }, 240_000);
});

it('ends with 2 on numbers that cannot be, before anything is started', async () => {
  for (const args of [
    ['window', '--windows', '0'],
    ['window', '--rtt', '300ms'],
    ['window', '--rtt', '300', '--rate', '5MB/s'],
    ['scale', '--relays', '2'],
    ['tor', '--repeat', '0'],
    ['cells', '--size', 'much'],
    ['nothing'],
  ])
    expect(await runNaulon(['bench', ...args], { cwd: folder })).toMatchObject({ code: 2, out: '' });
});
