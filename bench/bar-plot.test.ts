import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { barPlot } from './bar-plot.ts';
import { writePlot } from './plot.ts';

const bulk = (subject: string, circuits: number, values: number[]) => ({
  measure: 'throughput',
  factors: { subject, circuits },
  values,
});

test('each panel shows what was measured, and one without anything is left out', async () => {
  const spec = barPlot({
    title: 'ours beside theirs',
    subtitle: ['a machine'],
    by: 'subject',
    measures: { throughput: { unit: 'MB/s', better: 'more' }, latency: { unit: 'ms', better: 'less' } },
    series: [bulk('ours', 1, [3, 4, 5]), bulk('theirs', 1, [1, 2, 3]), bulk('ours', 8, [9])],
    panels: [
      { measure: 'throughput', title: 'Throughput', along: 'circuits' },
      { measure: 'latency', title: 'Latency' },
    ],
  });
  expect(spec).toMatchObject({
    concat: [
      {
        data: {
          values: [
            { along: 1, by: 'ours', min: 3, median: 4, max: 5 },
            { along: 1, by: 'theirs' },
            { along: 8, by: 'ours' },
          ],
        },
      },
    ],
  });
  const folder = mkdtempSync(join(tmpdir(), 'naulon-plot-'));
  await writePlot(spec, join(folder, 'bars'));
  const svg = readFileSync(join(folder, 'bars.svg'), 'utf8');
  for (const word of ['ours beside theirs', 'Throughput', 'circuits', 'MB/s']) expect(svg).toContain(word);
  rmSync(folder, { recursive: true });
});
