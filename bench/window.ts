import { findBitcoind } from '../regtest/find-bitcoind.ts';
import { counted, grouped, megabytes, type Terminal } from '../scripts/terminal.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { startEchoServer } from './echo.ts';
import { operationTrial, timeMeasure } from './micro-trials.ts';
import { isInNamespace, netemRefusal, runInNamespace } from './netem.ts';
import { type PaidLab, startPaidLab } from './paid-lab.ts';
import { PaidRelay } from './paid-relay.ts';
import { paymentOperations, schemeSubject } from './payment-operations.ts';
import type { Finding } from './report.ts';
import { type BenchOptions, runBench, type Stage } from './run-bench.ts';
import { estimateOf, ratioOf, spreadOf } from './statistics.ts';
import { transfer } from './traffic.ts';
import { type Measure, measureTrials, type Series, type Trial, valuesOf } from './trials.ts';
import { describe, howEmulated, type WideArea } from './wide-area.ts';
import { bandwidthDelayCells, delayTrial, smallestWindow } from './window-limits.ts';
import { windowPlot } from './window-plot.ts';

export interface BenchWindowOptions extends BenchOptions {
  readonly size?: number;
  readonly windows?: readonly number[];
  readonly bitcoind?: string;
  /** With `rate`: over an emulated wide-area path of such a round trip, in milliseconds. */
  readonly rtt?: number;
  /** Bytes a second of each of its links. */
  readonly rate?: number;
  /** Such a path by tc netem, in a network namespace of its own. */
  readonly netem?: boolean;
}

/** A price at which the smallest window is worth claiming. */
const price = '2000000 sat/GiB';
const channelSizeSat = 1_500_000;
const hopCounts = [1, 3] as const;
const windowsInFull = Array.from({ length: 13 }, (_, power) => 2 ** (8 + power));
/** From here down, the smallest window that completes is looked for, by a transfer of so many bytes. */
const largestTried = 256;
const measures: Readonly<Record<string, Measure>> = {
  throughput: { unit: 'MB/s', better: 'more' },
  'round trip': { unit: 'ms', better: 'less' },
  payments: { unit: 'a transfer' },
  paid: { unit: 'sat' },
  'smallest window': { unit: 'cells', better: 'less' },
  ...timeMeasure,
};

/** Throughput over payment window, as in paper 004's figure: a control without payments, then each window. */
export async function benchWindow(options: BenchWindowOptions, terminal: Terminal): Promise<number> {
  const wide = wideAreaOf(options);
  if (wide?.by === 'netem' && !isInNamespace()) {
    // In there nothing can be fetched.
    await findBitcoind({ bitcoind: options.bitcoind, say: ({ text }) => terminal.detail(text) });
    return runInNamespace();
  }
  return runBench(nameOf(wide), options, terminal, async stage => {
    const { quick = false } = options;
    // Far away a transfer takes its time: for a quick look once must do.
    const repeat = quick && wide ? 1 : options.repeat;
    const { size = sizeOf(quick, wide) } = options;
    const { windows = windowsOf(quick, wide) } = options;
    const series = await measureAll(stage, { ...options, repeat, size, windows, wide });
    const { cores, cpu } = stage.environment;
    const microseconds = (operation: string) =>
      spreadOf(valuesOf(series, 'time', { operation, subject: schemeSubject })).median;
    const [payUs, redeemUs] = [microseconds('Pay'), microseconds('Redeem')];
    return {
      settings: { size, repeat, windows, price, ...wide },
      measures,
      series,
      findings: findingsOf(series, windows),
      plot: windowPlot({
        series,
        bytes: size,
        hopCounts,
        paySeconds: payUs / 1e6,
        redeemSeconds: redeemUs / 1e6,
        subtitle: [
          ...(wide ? [describe(wide)] : []),
          `${megabytes(size)} a transfer, ${counted(repeat, 'repeat')}, ${cores} cores of ${cpu}; Pay ${payUs.toFixed(0)} us, Redeem ${redeemUs.toFixed(0)} us`,
        ],
      }),
      notes: [
        ...(wide
          ? [howEmulated(wide, wide.by === 'netem' ? undefined : netemRefusal()), fixedWindowNote]
          : []),
        'Predicted (paper 004): the seconds of the control, and a Pay and a Redeem for each payment at each hop.',
        'The client keeps a bandwidth-delay product prepaid beside the window, so that a smaller window completes too.',
      ],
    };
  });
}

/** spec: tor-spec/flow-control: 500 cells of a stream are under way at most. */
const fixedWindowNote =
  'A circuit of one hop has no congestion control, as in C tor: a stream has 500 cells under way, and its throughput is those a round trip.';

function nameOf(wide: WideArea | undefined): string {
  if (wide === undefined) return 'window';
  return wide.by === 'netem' ? 'window-netem' : 'window-wide';
}

function wideAreaOf({ rtt, rate, netem = false }: BenchWindowOptions): WideArea | undefined {
  if (rtt === undefined && rate === undefined && !netem) return undefined;
  if (rtt === undefined || rate === undefined)
    throw new OperatorError('USAGE', 'a wide-area path has both --rtt and --rate', exitCode.usage);
  return { roundTripMs: rtt, bytesPerSecond: rate, by: netem ? 'netem' : 'links' };
}

/** Far away a transfer takes as long as its path says: four seconds and more. */
function sizeOf(quick: boolean, wide: WideArea | undefined): number {
  if (wide === undefined) return quick ? 5_000_000 : 105_000_000;
  return Math.round(wide.bytesPerSecond * (quick ? 0.5 : 4));
}

function windowsOf(quick: boolean, wide: WideArea | undefined): readonly number[] {
  if (!quick) return windowsInFull;
  return wide === undefined ? [1_024, 8_192, 65_536] : [1_024, 16_384];
}

async function measureAll(
  stage: Stage,
  options: BenchWindowOptions & {
    readonly size: number;
    readonly windows: readonly number[];
    readonly wide: WideArea | undefined;
  },
): Promise<Series[]> {
  const { quick = false, size, windows, repeat, bitcoind, wide } = options;
  const { terminal, signal } = stage;
  const echo = await startEchoServer();
  stage.defer(() => echo.stop());
  const lab = await startPaidLab(stage, {
    price,
    channelSizeSat,
    bitcoind,
    exitTo: [echo.address],
    wide,
  });
  const relay = new PaidRelay(`${stage.dir}/relay`);
  stage.defer(() => relay.stop());
  await relay.open(2);
  const ms = quick ? 100 : 300;
  const trials = [
    // The relays of the control must have carried as much as those of all windows before either is counted.
    ...hopCounts.map(hops => trialOf(lab, stage, { hops, size, warmUps: windows.length })),
    ...windows.flatMap(window =>
      hopCounts.map(hops => trialOf(lab, stage, { hops, window, size, warmUps: 1 })),
    ),
    ...hopCounts.map(hops => delayTrial(lab, stage, hops, echo.address, ms)),
    ...paymentOperations(relay).map(operation => operationTrial(operation, ms)),
  ];
  const series = await measureTrials(trials, { repeat, warmUp: wide ? 0 : 1 }, terminal, signal);
  // Tried in vain, each takes as long as our patience: not for a quick look far away.
  for (const hops of wide && quick ? [] : hopCounts) {
    const smallest = await smallestWindow(lab, stage, hops, largestTried, size / 20);
    if (smallest !== undefined)
      series.push({ measure: 'smallest window', factors: { hops }, values: [smallest] });
  }
  return series;
}

interface Transfers {
  readonly hops: 1 | 3;
  /** Absent: the control, over relays that cost nothing. */
  readonly window?: number;
  readonly size: number;
  /** How many there are in the round that counts for nothing. */
  readonly warmUps: number;
}

function trialOf(lab: PaidLab, stage: Stage, { hops, window, size, warmUps }: Transfers): Trial {
  const kind = window ?? 'control';
  const once = async (user: string, tell: (progress: string) => void) => {
    const circuit = await lab.open(window === undefined ? 'free' : 'paid', hops, user, window);
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
  };
  return {
    name: `${shownHops(hops)}, ${window === undefined ? 'control' : `window ${grouped(window)}`}`,
    factors: { hops, window: kind },
    async run(repeat, tell) {
      const user = `window-${hops}-${kind}-${repeat}`;
      for (let more = repeat < 0 ? warmUps : 1; more > 1; more--) await once(`${user}-${more}`, tell);
      return once(user, tell);
    },
  };
}

const shownHops = (hops: number): string => `${hops} hop${hops > 1 ? 's' : ''}`;

function findingsOf(series: readonly Series[], windows: readonly number[]): Finding[] {
  const of = (measure: string, hops: number, window: number | 'control') =>
    valuesOf(series, measure, { hops, window });
  const goals: Readonly<Record<number, number>> = { 1024: 0.92, 8192: 0.99 };
  return hopCounts.flatMap(hops => {
    const control = of('throughput', hops, 'control');
    const roundTrips = of('round trip', hops, 'control');
    const smallest = valuesOf(series, 'smallest window', { hops });
    return [
      ...windows.map(window => ({
        name: `${shownHops(hops)}, window ${grouped(window)}, of the control`,
        unit: 'x',
        ...ratioOf(of('throughput', hops, window), control),
        ...(window in goals ? { goal: { atLeast: goals[window] } } : {}),
      })),
      ...(smallest.length === 0
        ? []
        : [
            {
              name: `${shownHops(hops)}, smallest window that completes`,
              unit: 'cells',
              ...estimateOf(smallest),
            },
          ]),
      {
        name: `${shownHops(hops)}, bandwidth-delay product`,
        unit: 'cells',
        ...estimateOf(roundTrips.map(each => bandwidthDelayCells(spreadOf(control).median, each))),
      },
    ];
  });
}
