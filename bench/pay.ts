import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import type { Terminal } from '../scripts/terminal.ts';
import { assert } from '../src/base/assert.ts';
import { paymentStatus } from '../src/payment/scheme.ts';
import { barPlot } from './bar-plot.ts';
import { operationTrial, timeMeasure } from './micro-trials.ts';
import { PaidDesk } from './paid-desk.ts';
import { paymentOperations, rawSubject, schemeSubject } from './payment-operations.ts';
import type { Finding } from './report.ts';
import { type BenchOptions, runBench } from './run-bench.ts';
import { estimateOf, ratioOf } from './statistics.ts';
import { type Measure, measureTrials, type Series, type Trial, valuesOf } from './trials.ts';

/** Circuits that pay at once. */
const circuits = 256;
const measures: Readonly<Record<string, Measure>> = {
  ...timeMeasure,
  redeems: { unit: 'a second', better: 'more' },
  'event loop p99': { unit: 'ms', better: 'less' },
};

/** Pay and Redeem against native sign and verify; and how many payments a relay makes durable in a second. */
export function benchPay(options: BenchOptions, terminal: Terminal): Promise<number> {
  return runBench('pay', options, terminal, async stage => {
    const { quick = false, repeat } = options;
    const ms = quick ? 100 : 300;
    const paymentsEach = quick ? 10 : 40;
    terminal.say(`opening ${circuits} channels`);
    const desk = new PaidDesk(stage.dir);
    stage.defer(() => desk.stop());
    await desk.open(circuits);
    const trials = [
      ...paymentOperations(desk).map(operation => operationTrial(operation, ms)),
      durableTrial(desk, paymentsEach),
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

/** What a busy relay finds in the links that it reads in one turn of its event loop. */
const redeemsPerTurn = 16;

/** Every circuit sends its next REDEEM when the RECEIPT of the last is there, as over a link; signed before. */
function durableTrial(desk: PaidDesk, paymentsEach: number): Trial {
  // The last two are those of Pay and Redeem alone.
  const sessions = desk.sessions.slice(0, -2);
  return {
    name: `${circuits} circuits paying`,
    factors: { subject: schemeSubject },
    async run() {
      const signed = sessions.map(session => desk.sign(session, paymentsEach));
      const ready = sessions.map((_, at) => at);
      const sent = sessions.map(() => 0);
      let left = sessions.length * paymentsEach;
      const redeem = (at: number): void =>
        sessions[at].redeem(signed[at][sent[at]++], ({ status }) => {
          assert(status === paymentStatus.ok, 'a payment is credited');
          left -= 1;
          if (sent[at] < paymentsEach) ready.push(at);
        });
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const started = performance.now();
      while (left > 0) {
        for (const at of ready.splice(0, redeemsPerTurn)) redeem(at);
        await turn();
      }
      const seconds = (performance.now() - started) / 1_000;
      delay.disable();
      return {
        redeems: (sessions.length * paymentsEach) / seconds,
        'event loop p99': delay.percentile(99) / 1e6,
      };
    },
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
    { name: 'event loop p99 meanwhile', unit: 'ms', ...durable('event loop p99'), goal: { atMost: 20 } },
  ];
}
