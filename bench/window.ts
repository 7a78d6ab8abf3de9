import { grouped, megabytes, type Terminal } from '../scripts/terminal.ts';
import { type PaidLab, startPaidLab } from './paid-lab.ts';
import type { Findings } from './report.ts';
import { type BenchOptions, runBench, type Stage } from './run-bench.ts';
import { ratioOf } from './statistics.ts';
import { transfer } from './traffic.ts';
import { measureTrials, type Series, type Trial, valuesOf } from './trials.ts';
import { windowPlot } from './window-plot.ts';

export interface BenchWindowOptions extends BenchOptions {
  readonly size?: number;
  readonly windows?: readonly number[];
  readonly bitcoind?: string;
}

/** A price at which the smallest window is worth claiming. */
const price = '2000000 sat/GiB';
const channelSizeSat = 1_500_000;
const hopCounts = [1, 3] as const;
const windowsInFull = Array.from({ length: 13 }, (_, power) => 2 ** (8 + power));

/** Throughput over payment window, as in paper 004's figure: a control without payments, then each window. */
export function benchWindow(options: BenchWindowOptions, terminal: Terminal): Promise<number> {
  return runBench('window', options, terminal, async stage => {
    const { quick = false, repeat, bitcoind } = options;
    const { size = quick ? 5_000_000 : 105_000_000, windows = quick ? [256, 8_192] : windowsInFull } =
      options;
    const lab = await startPaidLab(stage, { price, channelSizeSat, bitcoind });
    const trials = [undefined, ...windows].flatMap(window =>
      hopCounts.map(hops => trialOf(lab, stage, hops, window, size)),
    );
    const series = await measureTrials(trials, { repeat }, terminal, stage.signal);
    const subtitle = `${megabytes(size)} a transfer, ${repeat} repeats, ${stage.environment.cores} cores of ${stage.environment.cpu}`;
    return {
      settings: { size, repeat, windows, price },
      measures: {
        throughput: { unit: 'MB/s', better: 'more' },
        payments: { unit: 'a transfer' },
        paid: { unit: 'sat' },
      },
      series,
      findings: findingsOf(series, windows),
      plot: windowPlot(series, subtitle),
    };
  });
}

function trialOf(lab: PaidLab, stage: Stage, hops: 1 | 3, window: number | undefined, size: number): Trial {
  const tariff = window === undefined ? 'free' : 'paid';
  const shown = window === undefined ? 'control' : `window ${grouped(window)}`;
  return {
    name: `${hops} hop${hops > 1 ? 's' : ''}, ${shown}`,
    factors: { hops, window: window ?? 'control' },
    async run(repeat, tell) {
      const user = `window-${hops}-${window ?? 'control'}-${repeat}`;
      const circuit = await lab.open(tariff, hops, user, window);
      const route = { socks: lab.state.socks, users: [user] };
      const seconds = await transfer(route, lab.state.lab, size, stage.signal, bytes =>
        tell(`${megabytes(bytes)} of ${megabytes(size)}`),
      );
      const closed = await lab.control.closeCircuit(circuit.id);
      const paidMsat = closed.hops.reduce((sum, hop) => sum + hop.paidMsat, 0n);
      return {
        throughput: size / 1e6 / seconds,
        payments: closed.hops.reduce((sum, hop) => sum + hop.payments, 0),
        paid: Number(paidMsat) / 1_000,
      };
    },
  };
}

/** Each window's throughput as a share of the control's with as many hops. */
function findingsOf(series: readonly Series[], windows: readonly number[]): Findings['findings'] {
  const throughput = (hops: number, window: number | 'control') =>
    valuesOf(series, 'throughput', { hops, window });
  return hopCounts.flatMap(hops =>
    windows.map(window => ({
      name: `${hops} hop${hops > 1 ? 's' : ''}, window ${grouped(window)}, of the control`,
      unit: 'x',
      ...ratioOf(throughput(hops, window), throughput(hops, 'control')),
      ...(window === 1_024
        ? { goal: { atLeast: 0.92 } }
        : window === 8_192
          ? { goal: { atLeast: 0.99 } }
          : {}),
    })),
  );
}
