import type { TopLevelSpec } from 'vega-lite';
import { spreadOf } from './statistics.ts';
import { type Series, valuesOf } from './trials.ts';
import { paper, paymentsOf, predictedSeconds } from './window-prediction.ts';

/** What the prediction is made from. */
export interface WindowPlotOptions {
  readonly series: readonly Series[];
  /** Of a transfer. */
  readonly bytes: number;
  readonly hopCounts: readonly number[];
  readonly paySeconds: number;
  readonly redeemSeconds: number;
  readonly subtitle: readonly string[];
}

type Kind = 'measured' | 'predicted';

interface Point {
  readonly circuit: string;
  readonly kind: Kind;
  readonly window: number;
  /** MB/s. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** The same as shares of the control's median. */
  readonly share: number;
  readonly shareMin: number;
  readonly shareMax: number;
}

const paperCircuit = 'paper 004, 1 hop';
const kinds: readonly Kind[] = ['measured', 'predicted'];
const circuitOf = (hops: number): string => (hops === 1 ? '1 hop' : `${hops} hops`);

/**
 * Throughput over payment window: measured with the spread of the repeats, predicted by the paper's formula from our own
 * Pay and Redeem, and as the paper measured and predicted it; in MB/s, and as shares of each one's control.
 */
export function windowPlot(options: WindowPlotOptions): TopLevelSpec {
  const windows = windowsIn(options.series);
  const points = [
    ...options.hopCounts.flatMap(hops => [...measured(options, hops), ...predicted(options, hops, windows)]),
    ...paperPoints(windows),
  ];
  const controls = options.hopCounts.map(hops => {
    const { median } = spreadOf(valuesOf(options.series, 'throughput', { hops, window: 'control' }));
    return { circuit: circuitOf(hops), median };
  });
  const circuits = [...options.hopCounts.map(circuitOf), paperCircuit];
  const megabytes = { field: 'median', low: 'min', high: 'max', title: 'throughput (MB/s)', log: true };
  const shares = {
    field: 'share',
    low: 'shareMin',
    high: 'shareMax',
    title: 'share of the control',
    log: false,
  };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: {
      text: 'Throughput over payment window',
      subtitle: [
        ...options.subtitle,
        'lines up and down: slowest to fastest repeat; dashed: predicted; dotted: control without payments',
      ],
      offset: 12,
    },
    background: 'white',
    padding: 12,
    spacing: 30,
    vconcat: [
      panel(points, windows, circuits, megabytes, controls),
      panel(points, windows, circuits, shares, []),
    ],
  };
}

export function windowsIn(series: readonly Series[]): number[] {
  const windows = series.flatMap(({ measure, factors: { window } }) =>
    measure === 'throughput' && typeof window === 'number' ? [window] : [],
  );
  return [...new Set(windows)].sort((a, b) => a - b);
}

function measured({ series }: WindowPlotOptions, hops: number): Point[] {
  const control = spreadOf(valuesOf(series, 'throughput', { hops, window: 'control' })).median;
  return windowsIn(series).flatMap(window => {
    const values = valuesOf(series, 'throughput', { hops, window });
    return values.length === 0 ? [] : [pointOf(circuitOf(hops), 'measured', window, values, control)];
  });
}

function predicted(options: WindowPlotOptions, hops: number, windows: readonly number[]): Point[] {
  const { series, bytes, paySeconds, redeemSeconds } = options;
  const control = spreadOf(valuesOf(series, 'throughput', { hops, window: 'control' })).median;
  return windows.map(window => {
    const payments = paymentsOf(bytes, window);
    const seconds = predictedSeconds(bytes / 1e6 / control, payments, hops, paySeconds, redeemSeconds);
    return pointOf(circuitOf(hops), 'predicted', window, [bytes / 1e6 / seconds], control);
  });
}

function paperPoints(windows: readonly number[]): Point[] {
  const { bytes, controlSeconds, predictedPaymentSeconds } = paper;
  const control = bytes / 1e6 / controlSeconds;
  const at = (kind: Kind, window: number, seconds: number) =>
    pointOf(paperCircuit, kind, window, [bytes / 1e6 / seconds], control);
  return [
    ...paper.measured.map(({ window, seconds }) => at('measured', window, seconds)),
    ...windows.map(window =>
      at('predicted', window, controlSeconds + paymentsOf(bytes, window) * predictedPaymentSeconds),
    ),
  ];
}

function pointOf(
  circuit: string,
  kind: Kind,
  window: number,
  values: readonly number[],
  control: number,
): Point {
  const { median, min, max } = spreadOf(values);
  const [share, shareMin, shareMax] = [median, min, max].map(each => each / control);
  return { circuit, kind, window, median, min, max, share, shareMin, shareMax };
}

function panel(
  points: readonly Point[],
  windows: readonly number[],
  circuits: readonly string[],
  of: { field: string; low: string; high: string; title: string; log: boolean },
  controls: readonly { circuit: string; median: number }[],
) {
  const x = {
    field: 'window',
    type: 'quantitative' as const,
    scale: { type: 'log' as const, base: 2 },
    axis: { values: [...windows], format: ',d', labelAngle: -40, title: 'payment window (cells per REDEEM)' },
  };
  const y = {
    type: 'quantitative' as const,
    title: of.title,
    scale: of.log ? { type: 'log' as const, nice: false } : { zero: true },
    axis: of.log ? { values: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000] } : { format: '.0%' },
  };
  const color = {
    field: 'circuit',
    type: 'nominal' as const,
    scale: { domain: [...circuits] },
    title: 'circuit',
  };
  const strokeDash = {
    field: 'kind',
    type: 'nominal' as const,
    scale: {
      domain: [...kinds],
      range: [
        [1, 0],
        [5, 4],
      ],
    },
    title: 'throughput',
  };
  const onlyMeasured = [{ filter: "datum.kind === 'measured'" }];
  return {
    width: 620,
    height: 280,
    data: { values: [...points] },
    layer: [
      {
        transform: onlyMeasured,
        mark: { type: 'rule' as const },
        encoding: { x, y: { ...y, field: of.low }, y2: { field: of.high }, color },
      },
      { mark: { type: 'line' as const }, encoding: { x, y: { ...y, field: of.field }, color, strokeDash } },
      {
        transform: onlyMeasured,
        mark: { type: 'point' as const, filled: true, size: 45, opacity: 1 },
        encoding: { x, y: { ...y, field: of.field }, color },
      },
      {
        data: { values: [...controls] },
        mark: { type: 'rule' as const, strokeDash: [1, 3] },
        encoding: { y: { ...y, field: 'median' }, color },
      },
    ],
  };
}
