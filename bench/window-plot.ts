import type { TopLevelSpec } from 'vega-lite';
import { spreadOf } from './statistics.ts';
import type { Series } from './trials.ts';

/** Throughput over payment window with the spread of the repeats; the control as a dashed line for each hop count. */
export function windowPlot(series: readonly Series[], subtitle: string): TopLevelSpec {
  const points = series
    .filter(({ measure }) => measure === 'throughput')
    .map(({ factors: { hops, window }, values }) => ({
      circuit: hops === 1 ? '1 hop' : `${hops} hops`,
      window: window === 'control' ? 0 : window,
      ...spreadOf(values),
    }));
  const colour = { field: 'circuit', type: 'nominal' as const, title: 'circuit' };
  const windows = [...new Set(points.map(point => Number(point.window)).filter(window => window > 0))].sort(
    (a, b) => a - b,
  );
  const x = {
    field: 'window',
    type: 'quantitative' as const,
    scale: { type: 'log' as const, base: 2, domain: [windows[0] ?? 1, windows.at(-1) ?? 2] },
    axis: { values: windows, format: ',d', labelAngle: -40, title: 'payment window (cells per REDEEM)' },
  };
  const y = { type: 'quantitative' as const, title: 'throughput (MB/s)', scale: { zero: true } };
  const paid = [{ filter: 'datum.window > 0' }];
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: {
      text: 'Throughput over payment window',
      subtitle: [subtitle, 'bars: slowest to fastest repeat; dashed: control without payments'],
    },
    width: 560,
    height: 340,
    background: 'white',
    data: { values: points },
    layer: [
      {
        transform: paid,
        mark: { type: 'rule' },
        encoding: { x, y: { ...y, field: 'min' }, y2: { field: 'max' }, color: colour },
      },
      {
        transform: paid,
        mark: { type: 'line', point: true },
        encoding: { x, y: { ...y, field: 'median' }, color: colour },
      },
      {
        transform: [{ filter: 'datum.window === 0' }],
        mark: { type: 'rule', strokeDash: [6, 4] },
        encoding: { y: { ...y, field: 'median' }, color: colour },
      },
    ],
  };
}
