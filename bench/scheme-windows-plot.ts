import type { TopLevelSpec } from 'vega-lite';
import { coloursOf } from './market/colours.ts';
import { spreadOf } from './statistics.ts';
import { type Series, valuesOf } from './trials.ts';

/** The window that a client chooses by itself: ten seconds of what the circuit carries. */
export const defaultWindow = 'default';

interface Point {
  readonly scheme: string;
  readonly window: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** The same as shares of the control's median. */
  readonly share: number;
  readonly shareMin: number;
  readonly shareMax: number;
}

/** Throughput over payment window, a line for each payment system: in MB/s, and as shares of each one's control. */
export function schemeWindowsPlot(series: readonly Series[], subtitle: readonly string[]): TopLevelSpec {
  const points = series.flatMap(pointsOf(series));
  const schemes = [...new Set(points.map(({ scheme }) => scheme))];
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: {
      text: 'Throughput over payment window, by payment system',
      subtitle: [...subtitle, 'points: median; lines up and down: slowest to fastest repeat'],
      offset: 12,
    },
    background: 'white',
    padding: 12,
    spacing: 30,
    hconcat: [
      panel(points, schemes, { field: 'median', low: 'min', high: 'max', title: 'throughput (MB/s)' }),
      panel(points, schemes, {
        field: 'share',
        low: 'shareMin',
        high: 'shareMax',
        title: 'share of the control',
      }),
    ],
  };
}

const pointsOf =
  (all: readonly Series[]) =>
  ({ measure, factors, values }: Series): Point[] => {
    const { scheme, window } = factors;
    if (measure !== 'throughput' || window === 'control') return [];
    const control = spreadOf(valuesOf(all, 'throughput', { scheme, window: 'control' })).median;
    const { median, min, max } = spreadOf(values);
    const [share, shareMin, shareMax] = [median, min, max].map(each => each / control);
    const shown = typeof window === 'number' ? window.toLocaleString('en-US') : window;
    return [{ scheme: String(scheme), window: shown, median, min, max, share, shareMin, shareMax }];
  };

function panel(
  points: readonly Point[],
  schemes: readonly string[],
  of: { field: string; low: string; high: string; title: string },
) {
  const x = {
    field: 'window',
    type: 'ordinal' as const,
    sort: null,
    title: 'payment window (cells)',
    axis: { labelAngle: 0 },
  };
  const y = {
    type: 'quantitative' as const,
    title: of.title,
    scale: { zero: true },
    axis: of.field === 'share' ? { format: '.0%' } : {},
  };
  const color = {
    field: 'scheme',
    type: 'nominal' as const,
    scale: { domain: [...schemes], range: coloursOf(schemes) },
    title: null,
    legend: { symbolOpacity: 1 },
  };
  // Side by side, so that the ranges of several do not lie over each other.
  const xOffset = { field: 'scheme', sort: [...schemes] };
  return {
    width: 400,
    height: 340,
    data: { values: [...points] },
    layer: [
      {
        mark: { type: 'line' as const, opacity: 0.6 },
        encoding: { x, y: { ...y, field: of.field }, color, xOffset },
      },
      {
        mark: { type: 'rule' as const },
        encoding: { x, y: { ...y, field: of.low }, y2: { field: of.high }, color, xOffset },
      },
      {
        mark: { type: 'point' as const, filled: true, size: 45, opacity: 1 },
        encoding: { x, y: { ...y, field: of.field }, color, xOffset },
      },
    ],
  };
}
