import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTerminal } from '../scripts/terminal.ts';
import type { Environment } from './environment.ts';
import { csvOf, type Findings, findingsTable, isMet, report, seriesTable } from './report.ts';
import { ratioOf } from './statistics.ts';
import { measureTrials, type Trial, valuesOf } from './trials.ts';
import { windowPlot } from './window-plot.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-report-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const silent = openTerminal({ quiet: true, json: true });
const series = [
  { measure: 'throughput', factors: { hops: 1, window: 'control' }, values: [10, 11, 9] },
  { measure: 'throughput', factors: { hops: 1, window: 1_024 }, values: [5, 4, 6] },
  { measure: 'payments', factors: { hops: 1, window: 1_024 }, values: [200, 200, 201] },
];
const measures = { throughput: { unit: 'MB/s', better: 'more' as const }, payments: { unit: 'a transfer' } };
const halved = { name: 'window 1,024', unit: 'x', ...ratioOf(series[1].values, series[0].values) };
const found: Findings = {
  settings: { size: 5 },
  measures,
  series,
  findings: [{ ...halved, goal: { atLeast: 0.92 } }],
  plot: windowPlot({
    series,
    bytes: 5_000_000,
    hopCounts: [1],
    paySeconds: 1e-4,
    redeemSeconds: 1e-4,
    subtitle: ['test'],
  }),
};
const environment: Environment = {
  commit: 'abc',
  node: 'v20',
  tor: 'none',
  openssl: '3',
  kernel: '6',
  cpu: 'a cpu',
  cores: 2,
  memoryMib: 1,
  diskSyncsPerSecond: 1,
  loadBefore: 0,
};

test('results come as json, csv, svg, png and specification', async () => {
  await report('window', folder, environment, found, silent);
  const file = (ending: string) => join(folder, `window.${ending}`);
  expect(JSON.parse(readFileSync(file('json'), 'utf8'))).toMatchObject({
    bench: 'window',
    environment,
    settings: { size: 5 },
    series: [{ measure: 'throughput', median: 10, min: 9, max: 11, values: [10, 11, 9] }, {}, {}],
    findings: [{ name: 'window 1,024', value: 0.5, met: false }],
  });
  expect(readFileSync(file('csv'), 'utf8')).toBe(csvOf(found));
  expect(readFileSync(file('svg'), 'utf8')).toContain('payment window');
  expect(readFileSync(file('png')).subarray(1, 4).toString()).toBe('PNG');
  expect(existsSync(file('vl.json'))).toBe(true);
});

test('the csv has a row for each repeat, and quotes what must be', () => {
  const lines = csvOf(found).trim().split('\n');
  expect(lines[0]).toBe('measure,unit,hops,window,repeat,value');
  expect(lines).toHaveLength(1 + 9);
  expect(lines[1]).toBe('throughput,MB/s,1,control,0,10');
  const quoted = {
    measures,
    series: [{ measure: 'throughput', factors: { subject: 'C tor, "best"' }, values: [1] }],
  };
  expect(csvOf(quoted)).toContain('throughput,MB/s,"C tor, ""best""",0,1');
});

test('the tables show every series and every finding, beside its goal', () => {
  expect(seriesTable(found)).toHaveLength(1 + 3);
  expect(seriesTable(found)[2]).toMatch(/^throughput +1 +1,024 +5 +4 +6 +3 +MB\/s$/);
  expect(findingsTable(found.findings)[1]).toMatch(
    /^window 1,024 +0\.5 +0\.364 … 0\.667 +x +≥ 0\.92 +missed$/,
  );
  expect(findingsTable([])).toEqual([]);
});

test('a goal is met at its bound', () => {
  expect(isMet({ value: 2, goal: { atLeast: 2 } })).toBe(true);
  expect(isMet({ value: 0.56, goal: { atMost: 0.55 } })).toBe(false);
  expect(isMet({ value: 1 })).toBeUndefined();
});

test('trials take turns there and back, after a round that counts for nothing', async () => {
  const ran: string[] = [];
  const trial = (name: string): Trial => ({
    name,
    factors: { name },
    async run(repeat) {
      ran.push(`${name}${repeat}`);
      return { found: repeat };
    },
  });
  const measured = await measureTrials(
    [trial('a'), trial('b')],
    { repeat: 2 },
    silent,
    new AbortController().signal,
  );
  expect(ran).toEqual(['b-1', 'a-1', 'a0', 'b0', 'b1', 'a1']);
  expect(valuesOf(measured, 'found', { name: 'a' })).toEqual([0, 1]);
  expect(valuesOf(measured, 'found', { name: 'c' })).toEqual([]);
});

test('trials end when they are told to', async () => {
  const stopping = new AbortController();
  const trial: Trial = { name: 'a', factors: {}, run: async () => ({ found: 1 }) };
  stopping.abort();
  await expect(measureTrials([trial], { repeat: 1 }, silent, stopping.signal)).rejects.toThrow();
});
