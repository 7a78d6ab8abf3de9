import { grouped, type Terminal } from '../scripts/terminal.ts';
import { barPlot } from './bar-plot.ts';
import { CreateLoad } from './create-load.ts';
import { operationTrial, timeMeasure } from './micro-trials.ts';
import { startPaidLab, type Tariff } from './paid-lab.ts';
import { residentBytesOf } from './process-usage.ts';
import { rawKeyExchange, times } from './raw-primitives.ts';
import type { Finding } from './report.ts';
import { type BenchOptions, runBench } from './run-bench.ts';
import { estimateOf, ratioOf } from './statistics.ts';
import { handshakeTrial } from './tor-trials.ts';
import { type Measure, measureTrials, type Series, valuesOf } from './trials.ts';

export interface BenchCircuitOptions extends BenchOptions {
  /** To be left open at each relay. */
  readonly circuits?: number;
  readonly bitcoind?: string;
}

const price = '100000 sat/GiB';
const tariffs: readonly Tariff[] = ['free', 'paid'];
/** What an answer to CREATE2 must compute at least: a key pair, and two shared secrets. */
const exchangesEach = 3;
const raw = 'raw';
const measures: Readonly<Record<string, Measure>> = {
  handshakes: { unit: 'a second', better: 'more' },
  'handshakes a core': { unit: 'a CPU second', better: 'more' },
  'memory each': { unit: 'bytes', better: 'less' },
  ...timeMeasure,
};

/** CREATE2 at a relay of its own process: how many a second, against the key exchanges in each; and what an idle circuit costs. */
export function benchCircuit(options: BenchCircuitOptions, terminal: Terminal): Promise<number> {
  return runBench('circuit', options, terminal, async stage => {
    const { quick = false, repeat, bitcoind } = options;
    const { circuits = quick ? 2_000 : 100_000 } = options;
    const ms = quick ? 500 : 5_000;
    const lab = await startPaidLab(stage, { price, bitcoind });
    const { nodes } = lab.state;
    const directory = nodes.find(({ role }) => role === 'authority')?.listens.dir ?? '';
    const relays = await Promise.all(
      tariffs.map(async tariff => {
        const { guard: pid } = lab.pids(tariff);
        const relay = nodes.find(node => node.process.pid === pid)?.listens.or ?? '';
        const load = await CreateLoad.to(relay, directory);
        stage.defer(() => load.stop());
        // Before the first circuit: what those of the trials leave behind counts too.
        return { name: tariff, pid, load, before: residentBytesOf(pid) };
      }),
    );
    const trials = [
      operationTrial(keyExchange(), ms / 5),
      ...relays.map(({ name, pid, load }) => handshakeTrial({ name }, pid, load, ms, stage.signal)),
    ];
    const measured = await measureTrials(trials, { repeat }, terminal, stage.signal);
    const memory: Series[] = [];
    for (const { name, pid, load, before } of relays) {
      terminal.say(`opening ${grouped(circuits)} circuits at the ${name} relay, and leaving them open`);
      await load.hold(circuits, stage.signal);
      const values = [(residentBytesOf(pid) - before) / circuits];
      memory.push({ measure: 'memory each', factors: { subject: name }, values });
    }
    const series = [...measured, ...memory];
    const { cores, cpu } = stage.environment;
    return {
      settings: { repeat, circuits, ms, price },
      measures,
      series,
      findings: findingsOf(series, circuits),
      plot: barPlot({
        title: 'Circuits at one relay',
        subtitle: [`${repeat} repeats, ${cores} cores of ${cpu}, ${grouped(circuits)} circuits left open`],
        by: 'subject',
        measures,
        series,
        panels: [
          { measure: 'handshakes a core', title: 'CREATE2 served' },
          { measure: 'memory each', title: 'Memory of an idle circuit' },
        ],
      }),
    };
  });
}

function keyExchange() {
  const batch = 20;
  return { operation: 'x25519', subject: raw, batch, run: times(batch, rawKeyExchange()) };
}

function findingsOf(series: readonly Series[], circuits: number): Finding[] {
  const exchangeUs = valuesOf(series, 'time', { operation: 'x25519', subject: raw });
  return tariffs.flatMap(subject => {
    const served = valuesOf(series, 'handshakes a core', { subject });
    return [
      {
        name: `CREATE2 a second and core, ${subject} relay`,
        unit: 'a CPU second',
        ...estimateOf(served),
        goal: { atLeast: 5_000 },
      },
      {
        name: `CPU of each, over its ${exchangesEach} raw key exchanges, ${subject} relay`,
        unit: 'x',
        ...ratioOf(
          served.map(each => 1e6 / each),
          exchangeUs.map(us => us * exchangesEach),
        ),
      },
      {
        name: `memory of each of ${grouped(circuits)} idle circuits, ${subject} relay`,
        unit: 'bytes',
        ...estimateOf(valuesOf(series, 'memory each', { subject })),
        goal: { atMost: 2_048 },
      },
    ];
  });
}
