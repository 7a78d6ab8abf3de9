import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { performanceDocument } from './performance-document.ts';
import { type Results, readResults } from './results-file.ts';

const docs = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs');
const environment = {
  commit: 'abc',
  cpu: 'a cpu',
  cores: 2,
  node: 'v20',
  loadBefore: 0.1,
  memoryMib: 8_192,
  tor: 'Tor 0.4.9',
};
const pay: Results = {
  bench: 'pay',
  environment,
  settings: { repeat: 3, quick: false },
  measures: { time: { unit: 'us', better: 'less' } },
  series: [{ measure: 'time', factors: { operation: 'Pay' }, values: [40, 50, 45] }],
  findings: [
    { name: 'Pay, over the raw sign', unit: 'x', value: 1.1, low: 1.05, high: 1.15, goal: { atMost: 1.2 } },
    {
      name: 'durable REDEEMs',
      unit: 'a second',
      value: 9_900,
      low: 9_000,
      high: 10_100,
      goal: { atLeast: 1e4 },
    },
  ],
  notes: ['A note | with a bar.'],
};
const window: Results = {
  ...pay,
  bench: 'window',
  settings: { repeat: 1, quick: true },
  environment: { ...environment, loadBefore: 3 },
  findings: [
    {
      name: '3 hops, window 1,024, of the control',
      unit: 'x',
      value: 0.8,
      low: 0.7,
      high: 0.85,
      goal: { atLeast: 0.92 },
    },
  ],
};

test('the same results make the same document, in whatever order they come', () => {
  const text = performanceDocument([pay, window], 'performance');
  expect(performanceDocument([pay, window], 'performance')).toBe(text);
  expect(performanceDocument([window, pay], 'performance')).toBe(text);
});

test('each aim stands beside what was reached', () => {
  const text = performanceDocument([pay, window], 'performance');
  expect(text).toContain('1 of 3 figures reach what was aimed at; 2 fall short.');
  const row = (start: string) => text.split('\n').find(line => line.startsWith(`| ${start}`));
  expect(row('Pay and Redeem')).toMatch(
    /\| Pay, over the raw sign \| ≤ 1\.2 \| 1\.1 x \| 1\.05 … 1\.15 \| met \|$/,
  );
  expect(row('at least 10,000 durable')).toMatch(
    /\| 9,900 a second \| .* \| \*\*missed\*\*, within the spread \|$/,
  );
  expect(row('at most 8 %')).toMatch(/\| \*\*missed\*\* \|$/);
  expect(row('at least 5,000 CREATE2')).toMatch(/not measured/);
});

test('it says what its figures are worth', () => {
  const text = performanceDocument([pay, window], 'performance');
  expect(text).toContain('Quick runs, which show that it works and measure little:** window.');
  expect(text).toContain('Others were at work on the machine before:** window.');
  expect(performanceDocument([pay], 'performance')).not.toMatch(/Quick runs|Others were/);
});

test('each benchmark has its picture, its figures and its notes', () => {
  const text = performanceDocument([pay], 'performance');
  expect(text).toContain('![Payments](performance/pay.png)');
  expect(text).toContain('| time | Pay | 45 | 40 | 50 | 3 | us |');
  expect(text).toContain('- A note | with a bar.');
  expect(text).not.toContain('undefined');
});

test.runIf(existsSync(join(docs, 'PERFORMANCE.md')))(
  'the document in docs is that of the results beside it',
  () => {
    const folder = join(docs, 'performance');
    const results = readdirSync(folder)
      .filter(file => file.endsWith('.json'))
      .map(file => readResults(join(folder, file)));
    expect(readFileSync(join(docs, 'PERFORMANCE.md'), 'utf8')).toBe(
      performanceDocument(results, 'performance'),
    );
    for (const { bench } of results) expect(existsSync(join(folder, `${bench}.png`)), bench).toBe(true);
  },
);
