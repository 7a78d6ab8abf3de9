import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writePlot } from './plot.ts';
import { summarise, toCsv, type WindowRun, windowPlot } from './window-results.ts';

const run = (hops: number, windowCells: number | undefined, seconds: number, repeat = 0): WindowRun => ({
  hops,
  windowCells,
  repeat,
  bytes: 10_000_000,
  seconds,
  payments: windowCells === undefined ? 0 : Math.ceil(20_000 / windowCells),
  paidMsat: windowCells === undefined ? 0n : 1_000_000n,
});
const runs = [
  run(1, undefined, 1),
  run(1, 1024, 2),
  run(1, 1024, 4, 1),
  run(1, 8192, 1),
  run(3, undefined, 2),
  run(3, 1024, 4),
];

test('each window is held against the control of as many hops', () => {
  const rows = summarise(runs);
  expect(rows.map(row => [row.hops, row.windowCells, row.ofControl])).toEqual([
    [1, 1024, 0.375],
    [1, 8192, 1],
    [1, undefined, 1],
    [3, 1024, 0.5],
    [3, undefined, 1],
  ]);
});

test('the csv has a row for each run', () => {
  expect(toCsv(runs).trim().split('\n')).toHaveLength(1 + runs.length);
  expect(toCsv(runs)).toContain('1,control,0,10000000,1.0000,10.000,0,0');
});

test('the plot comes as svg, png and specification', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'naulon-plot-'));
  const path = join(directory, 'window');
  await writePlot(windowPlot(runs, 'test'), path);
  expect(readFileSync(`${path}.svg`, 'utf8')).toContain('payment window');
  expect(readFileSync(`${path}.png`).subarray(1, 4).toString()).toBe('PNG');
  expect(existsSync(`${path}.vl.json`)).toBe(true);
  rmSync(directory, { recursive: true });
});
