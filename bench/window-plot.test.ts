import { expect, test } from 'vitest';
import { bandwidthDelayCells } from './window-limits.ts';
import { windowPlot } from './window-plot.ts';
import { paper, paymentsOf, predictedSeconds } from './window-prediction.ts';

test("the formula gives the paper's own figures", () => {
  const payments = paymentsOf(paper.bytes, 1_024);
  expect(Math.round(payments)).toBe(200);
  const seconds = predictedSeconds(paper.controlSeconds, payments, 1, 0.00505, 0.01072);
  expect(seconds).toBeCloseTo(17.86, 2);
  // What it measured beyond the control is 17.2 ms for each payment: 2 ms more than predicted.
  expect((paper.measured[0].seconds - paper.controlSeconds) / payments).toBeCloseTo(0.0178, 3);
});

test('each hop is paid', () => {
  expect(predictedSeconds(10, 100, 3, 0.01, 0.02)).toBeCloseTo(19);
});

test('a path of 5 MB/s and 300 ms holds 1.5 MB', () => {
  expect(bandwidthDelayCells(5, 300)).toBe(1_500_000 / 512);
});

test('the plot has what was measured, what was predicted, and the paper', () => {
  const speed = (hops: number, window: number | 'control', values: number[]) => ({
    measure: 'throughput',
    factors: { hops, window },
    values,
  });
  const plot = windowPlot({
    series: [speed(1, 'control', [10]), speed(1, 1_024, [4, 5, 6])],
    bytes: 512 * 1_024 * 100,
    hopCounts: [1],
    paySeconds: 0.01,
    redeemSeconds: 0.02,
    subtitle: [],
  });
  const [panel] = 'vconcat' in plot ? plot.vconcat : [];
  const { values } = (panel as { data: { values: Record<string, number | string>[] } }).data;
  expect(values.map(({ circuit, kind, window }) => [circuit, kind, window])).toEqual([
    ['1 hop', 'measured', 1_024],
    ['1 hop', 'predicted', 1_024],
    ['paper 004, 1 hop', 'measured', 1_024],
    ['paper 004, 1 hop', 'measured', 65_536],
    ['paper 004, 1 hop', 'measured', 1_048_576],
    ['paper 004, 1 hop', 'predicted', 1_024],
  ]);
  expect(values[0]).toMatchObject({ median: 5, min: 4, max: 6, share: 0.5, shareMin: 0.4, shareMax: 0.6 });
  // 5.24 s without payments, and 100 of them of 30 ms.
  expect(values[1].share).toBeCloseTo(5.24288 / 8.24288);
  expect(values[2].share).toBeCloseTo(14.7 / 18.26);
});
