import type { TopLevelSpec } from 'vega-lite';
import { type Spread, spreadOf } from './statistics.ts';

/** One transfer through a circuit. */
export interface WindowRun {
  readonly hops: number;
  /** Cells bought by each payment; absent for the control, which runs through relays that charge nothing. */
  readonly windowCells: number | undefined;
  readonly repeat: number;
  readonly bytes: number;
  readonly seconds: number;
  /** REDEEMs that added value, over all hops. */
  readonly payments: number;
  readonly paidMsat: bigint;
}

/** All repeats of one hop count and window. */
export interface WindowSummary {
  readonly hops: number;
  readonly windowCells: number | undefined;
  /** Megabytes (10^6 bytes) of payload a second. */
  readonly mbPerSecond: Spread;
  readonly paymentsMedian: number;
  /** Median throughput as a share of the control's median with as many hops; 1 for the control itself. */
  readonly ofControl: number;
}

export const mbPerSecond = (run: WindowRun): number => run.bytes / 1e6 / run.seconds;

export function summarise(runs: readonly WindowRun[]): WindowSummary[] {
  const groups = new Map<string, WindowRun[]>();
  for (const run of runs) {
    const key = `${run.hops}/${run.windowCells ?? 'control'}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const spread = (group: readonly WindowRun[]) => spreadOf(group.map(mbPerSecond));
  return [...groups.values()]
    .map(group => {
      const { hops, windowCells } = group[0];
      const control = groups.get(`${hops}/control`);
      const speed = spread(group);
      return {
        hops,
        windowCells,
        mbPerSecond: speed,
        paymentsMedian: spreadOf(group.map(run => run.payments)).median,
        ofControl: control === undefined ? Number.NaN : speed.median / spread(control).median,
      };
    })
    .sort(
      (a, b) =>
        a.hops - b.hops ||
        (a.windowCells ?? Number.POSITIVE_INFINITY) - (b.windowCells ?? Number.POSITIVE_INFINITY),
    );
}

/** One line a run; the same columns as every tidy result of naulon. */
export function toCsv(runs: readonly WindowRun[]): string {
  const head = 'hops,window_cells,repeat,bytes,seconds,mb_per_s,payments,paid_msat';
  const rows = runs.map(run =>
    [
      run.hops,
      run.windowCells ?? 'control',
      run.repeat,
      run.bytes,
      run.seconds.toFixed(4),
      mbPerSecond(run).toFixed(3),
      run.payments,
      run.paidMsat,
    ].join(','),
  );
  return `${[head, ...rows].join('\n')}\n`;
}

/** Throughput over payment window with the spread of the repeats; the control as a dashed line for each hop count. */
export function windowPlot(runs: readonly WindowRun[], subtitle: string): TopLevelSpec {
  const points = summarise(runs).map(row => ({
    path: row.hops === 1 ? '1 hop' : `${row.hops} hops`,
    window: row.windowCells ?? 0,
    median: row.mbPerSecond.median,
    min: row.mbPerSecond.min,
    max: row.mbPerSecond.max,
  }));
  const colour = { field: 'path', type: 'nominal' as const, title: 'circuit' };
  const windows = [...new Set(points.map(point => point.window).filter(window => window > 0))].sort(
    (a, b) => a - b,
  );
  const x = {
    field: 'window',
    type: 'quantitative' as const,
    scale: { type: 'log' as const, base: 2, domain: [windows[0] ?? 1, windows.at(-1) ?? 2] },
    axis: { values: windows, format: ',d', title: 'payment window (cells per REDEEM)' },
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
