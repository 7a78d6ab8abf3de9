import { setTimeout as pause } from 'node:timers/promises';
import type { CircuitReport, HopReport } from '../client/circuit-report.ts';
import { counted, grouped, megabytes, type Terminal } from '../scripts/terminal.ts';
import { OperatorError } from '../src/base/fault.ts';
import { cpay } from '../src/schemes/cpay/index.ts';
import { epochMs } from '../src/schemes/cpay/messages.ts';
import { type SchemeSubject, schemeSubjects } from './market/subjects.ts';
import { type PaidLab, startPaidLab } from './paid-lab.ts';
import { withCpu } from './process-usage.ts';
import type { Finding } from './report.ts';
import { type BenchOptions, runBench, type Stage } from './run-bench.ts';
import { defaultWindow, schemeWindowsPlot } from './scheme-windows-plot.ts';
import { ratioOf } from './statistics.ts';
import { transfer } from './traffic.ts';
import { type Factors, type Measure, measureTrials, type Series, type Trial, valuesOf } from './trials.ts';

export interface BenchSchemeWindowsOptions extends BenchOptions {
  readonly bitcoind?: string;
}

/** That the paper proposes. */
const shownQuickly = 'p2p-netpay';
/** What the demo's relays cost: the smallest of the windows is some satoshi. */
const price = '100000 sat/GiB';
const windows = [1_024, 8_192, defaultWindow] as const;
const measures: Readonly<Record<string, Measure>> = {
  throughput: { unit: 'MB/s', better: 'more' },
  transferred: { unit: '%', better: 'more' },
  payments: { unit: 'a transfer' },
  paid: { unit: 'sat' },
  'CPU, client': { unit: 's a transfer', better: 'less' },
  'CPU, relays': { unit: 's a transfer', better: 'less' },
  'CPU, broker or bitcoind': { unit: 's a transfer', better: 'less' },
};

/**
 * Throughput over payment window for each payment system: the same transfer over three hops, on real relays with a real
 * broker and bitcoind. A transfer that takes longer than its time is cut, and what came by then counts.
 */
export function benchSchemeWindows(options: BenchSchemeWindowsOptions, terminal: Terminal): Promise<number> {
  return runBench('schemes-window', options, terminal, async stage => {
    const { quick = false } = options;
    const repeat = quick ? 1 : options.repeat;
    const size = quick ? 5_000_000 : 105_000_000;
    const secondsMax = quick ? 10 : 30;
    const subjects = schemeSubjects().filter(({ name }) => !quick || name === shownQuickly);
    const notes: string[] = [];
    const series: Series[] = [];
    for (const [at, subject] of subjects.entries()) {
      terminal.say(`${at + 1}/${subjects.length}  ${subject.name}`);
      series.push(...(await measureSubject(stage, subject, { ...options, repeat, size, secondsMax, notes })));
    }
    const { cores, cpu } = stage.environment;
    return {
      settings: { size, secondsMax, repeat, windows, price },
      measures,
      series,
      findings: findingsOf(series, subjects),
      plot: schemeWindowsPlot(series, [
        `${megabytes(size)} over three hops, ${counted(repeat, 'repeat')}, ${cores} cores of ${cpu}`,
      ]),
      notes: [
        'Each payment system has a network of its own, with a control over relays that cost nothing in the same network.',
        ...notes,
      ],
    };
  });
}

interface Transfers {
  readonly size: number;
  /** For one transfer, its circuit included. */
  readonly secondsMax: number;
  /** Takes what must be said beside the figures. */
  readonly notes: string[];
}

/** All transfers of one payment system, on a network that is there for them alone. */
async function measureSubject(
  stage: Stage,
  subject: SchemeSubject,
  options: BenchSchemeWindowsOptions & Transfers,
): Promise<Series[]> {
  const { repeat, quick = false, bitcoind } = options;
  const stops: (() => Promise<unknown>)[] = [];
  const { scheme, variant } = subject;
  const ownStage = {
    ...stage,
    dir: `${stage.dir}/${subject.name.replace(/\W+/g, '-')}`,
    defer: stops.push.bind(stops),
  };
  try {
    const lab = await startPaidLab(ownStage, { price, scheme: scheme?.name, variant, bitcoind });
    const trials = [
      trialOf(lab, stage, subject, 'control', options),
      ...windows.map(window => trialOf(lab, stage, subject, window, options)),
    ];
    for (const trial of trials) await trial.run(-1, progress => stage.terminal.redraw(progress));
    if (scheme === cpay && !quick) {
      // Who took payments assists from the next epoch on.
      const waitMs = epochMs - (Date.now() % epochMs) + 1_000;
      stage.terminal.say(`waiting ${Math.ceil(waitMs / 1_000)} s for the assistants' first epoch`);
      await pause(waitMs, undefined, { signal: stage.signal });
    }
    return await measureTrials(trials, { repeat, warmUp: 0 }, stage.terminal, stage.signal);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

type Window = (typeof windows)[number] | 'control';

function trialOf(
  lab: PaidLab,
  stage: Stage,
  { name: scheme }: SchemeSubject,
  window: Window,
  { size, secondsMax, notes }: Transfers,
): Trial {
  const factors: Factors = { scheme, window };
  const tariff = window === 'control' ? 'free' : 'paid';
  const cells = typeof window === 'number' ? window : undefined;
  const name = `${scheme}, ${cells === undefined ? window : `window ${grouped(cells)}`}`;
  return {
    name,
    factors,
    async run(repeat, tell) {
      const user = `${window}-${repeat}`;
      const signal = AbortSignal.any([stage.signal, AbortSignal.timeout(secondsMax * 1_000)]);
      const bytes = repeat < 0 ? warmUpBytes(size, window) : size;
      let came = 0;
      const once = async () => {
        let circuit: CircuitReport | undefined;
        let startMs = performance.now();
        try {
          circuit = await orAborted(signal, lab.open(tariff, 3, user, cells));
          const route = { socks: lab.state.socks, users: [user] };
          startMs = performance.now();
          const fetching = transfer(route, lab.state.lab, bytes, signal, soFar => {
            came = soFar;
            tell(`${megabytes(soFar)} of ${megabytes(bytes)}`);
          });
          await orAborted(signal, fetching);
        } catch (error) {
          stage.signal.throwIfAborted();
          if (repeat >= 0) notes.push(`${name}: cut at ${megabytes(came)}: ${reasonOf(error, secondsMax)}`);
        }
        const seconds = (performance.now() - startMs) / 1_000;
        const hops = circuit === undefined ? [] : await hopsAtEnd(lab, circuit);
        return { seconds, hops };
      };
      const processes = { ...lab.pids(tariff), thirdParty: lab.thirdParty };
      const { result, cpu } = await withCpu(processes, once);
      return {
        throughput: came / 1e6 / result.seconds,
        transferred: (100 * came) / bytes,
        payments: result.hops.reduce((sum, hop) => sum + hop.payments, 0),
        paid: Number(result.hops.reduce((sum, hop) => sum + hop.paidMsat, 0n)) / 1_000,
        'CPU, client': cpu.client,
        'CPU, relays': cpu.guard + cpu.middle + cpu.exit,
        'CPU, broker or bitcoind': cpu.thirdParty,
      };
    },
  };
}

/** A first round warms caches and compilers; the relays of the control then have carried as much as those of all windows. */
function warmUpBytes(size: number, window: Window): number {
  return (size / 2) * (window === 'control' ? windows.length : 1);
}

/** What the client counted; a circuit that was lost has ended already, and with it the count. */
async function hopsAtEnd({ control }: PaidLab, { id, hops }: CircuitReport): Promise<readonly HopReport[]> {
  try {
    return (await control.closeCircuit(id)).hops;
  } catch (error) {
    if (error instanceof OperatorError) return hops;
    throw error;
  }
}

/** What `work` comes to, unless that takes too long; what it opened is then somebody else's to end. */
function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((done, failed) => {
    const abort = (): void => failed(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(done, failed).finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
  });
}

function reasonOf(error: unknown, secondsMax: number): string {
  const isLate = error instanceof Error && error.name === 'TimeoutError';
  return isLate ? `${secondsMax} s were over` : error instanceof Error ? error.message : String(error);
}

function findingsOf(series: readonly Series[], subjects: readonly SchemeSubject[]): Finding[] {
  return subjects.flatMap(({ name: scheme }) => {
    const of = (window: Window) => valuesOf(series, 'throughput', { scheme, window });
    return windows.map(window => ({
      name: `${scheme}, ${typeof window === 'number' ? `window ${grouped(window)}` : 'default window'}, of its control`,
      unit: 'x',
      ...ratioOf(of(window), of('control')),
    }));
  });
}
