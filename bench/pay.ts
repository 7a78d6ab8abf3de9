import type { Terminal } from '../scripts/terminal.ts';
import { exitCode } from '../src/base/fault.ts';
import { barPlot } from './bar-plot.ts';
import { operationTrial, timeMeasure } from './micro-trials.ts';
import { PaidRelay } from './paid-relay.ts';
import { paymentOperations, rawSubject, schemeSubject } from './payment-operations.ts';
import { redeemAll } from './redeem-load.ts';
import type { Finding } from './report.ts';
import { type BenchOptions, runBench } from './run-bench.ts';
import { type BenchSchemeWindowsOptions, benchSchemeWindows } from './scheme-windows.ts';
import { benchSchemes } from './schemes.ts';
import { estimateOf, ratioOf } from './statistics.ts';
import { type Measure, measureTrials, type Series, type Trial, valuesOf } from './trials.ts';

/** Circuits that pay at once. */
const circuits = 256;
const measures: Readonly<Record<string, Measure>> = {
  ...timeMeasure,
  redeems: { unit: 'a second', better: 'more' },
  'redeems a core': { unit: 'a CPU second', better: 'more' },
  'event loop p99': { unit: 'ms', better: 'less' },
};

/** What `bench pay` is made of, by the names of the results; each can be measured by itself. */
const stages = {
  pay: benchChannel,
  schemes: benchSchemes,
  'schemes-window': benchSchemeWindows,
} as const;

export interface BenchPayOptions extends BenchSchemeWindowsOptions {
  /** Absent: all. */
  readonly only?: keyof typeof stages;
}

/** Payments over a channel, then all payment systems beside each other; a file of results for each stage as soon as it is over. */
export async function benchPay(options: BenchPayOptions, terminal: Terminal): Promise<number> {
  for (const [name, stage] of Object.entries(stages)) {
    if (options.only !== undefined && options.only !== name) continue;
    const code = await stage(options, terminal);
    if (code !== exitCode.ok) return code;
  }
  return exitCode.ok;
}

/** Pay and Redeem against native sign and verify; and how many payments a relay makes durable in a second. */
function benchChannel(options: BenchOptions, terminal: Terminal): Promise<number> {
  return runBench('pay', options, terminal, async stage => {
    const { quick = false, repeat } = options;
    const ms = quick ? 100 : 300;
    const paymentsEach = quick ? 10 : 40;
    terminal.say(`opening ${circuits} channels, each over a circuit of its own`);
    const relay = new PaidRelay(stage.dir);
    stage.defer(() => relay.stop());
    // The last two are those of Pay and Redeem alone.
    await relay.open(circuits + 2);
    const trials = [
      ...paymentOperations(relay).map(operation => operationTrial(operation, ms)),
      durableTrial(relay, paymentsEach),
    ];
    const series = await measureTrials(trials, { repeat }, terminal, stage.signal);
    const { cores, cpu, diskSyncsPerSecond } = stage.environment;
    const subtitle = [
      `${repeat} repeats, ${cores} cores of ${cpu}, ${diskSyncsPerSecond} disk syncs a second`,
    ];
    return {
      settings: { repeat, circuits, paymentsEach, ms },
      measures,
      series,
      findings: findingsOf(series),
      plot: barPlot({
        title: 'Payments',
        subtitle,
        by: 'subject',
        columns: 3,
        measures,
        series,
        panels: [
          { measure: 'time', title: 'One payment', along: 'operation' },
          { measure: 'redeems', title: `Durable REDEEMs, ${circuits} circuits paying` },
          { measure: 'event loop p99', title: 'Waits of the event loop meanwhile, 99 of 100' },
        ],
      }),
    };
  });
}

/** Every circuit sends its next REDEEM when the RECEIPT of the last is there, as over a link; signed and sealed before. */
function durableTrial(relay: PaidRelay, paymentsEach: number): Trial {
  const paying = relay.circuits.slice(0, circuits);
  return {
    name: `${circuits} circuits paying`,
    factors: { subject: schemeSubject },
    run: () => redeemAll(relay, paying, paymentsEach),
  };
}

function findingsOf(series: readonly Series[]): Finding[] {
  const time = (operation: string, subject: string) => valuesOf(series, 'time', { operation, subject });
  const durable = (measure: string) => estimateOf(valuesOf(series, measure, { subject: schemeSubject }));
  return [
    ...['Pay', 'Redeem'].map(operation => ({
      name: `${operation}, over the raw ${operation === 'Pay' ? 'sign' : 'verify'}`,
      unit: 'x',
      ...ratioOf(time(operation, schemeSubject), time(operation, rawSubject)),
      goal: { atMost: 1.2 },
    })),
    { name: 'durable REDEEMs', unit: 'a second', ...durable('redeems'), goal: { atLeast: 10_000 } },
    {
      name: 'the same by CPU, threads of the store included',
      unit: 'a CPU second',
      ...durable('redeems a core'),
    },
    { name: 'event loop p99 meanwhile', unit: 'ms', ...durable('event loop p99'), goal: { atMost: 20 } },
  ];
}
