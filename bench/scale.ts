import { counted, type Terminal } from '../scripts/terminal.ts';
import { type GrowthPanel, growthPlot, linesOf, powerText } from './growth-plot.ts';
import { PaidRelay } from './paid-relay.ts';
import type { Finding } from './report.ts';
import { type BenchOptions, runBench, type Stage } from './run-bench.ts';
import { circuitsTrial, startCircuitLab } from './scale-circuits.ts';
import { paymentsTrial } from './scale-payments.ts';
import { fits, layouts, relaysTrial } from './scale-relays.ts';
import { type Measure, measureTrials, type Series } from './trials.ts';

export interface BenchScaleOptions extends BenchOptions {
  /** The most relays; fewer when they do not fit into the memory. */
  readonly relays?: number;
  /** The most circuits that are open at once. */
  readonly circuits?: number;
}

const measures: Readonly<Record<string, Measure>> = {
  boot: { unit: 's', better: 'less' },
  'boot CPU': { unit: 'CPU s a relay', better: 'less' },
  memory: { unit: 'MiB a relay', better: 'less' },
  build: { unit: 'ms a circuit', better: 'less' },
  'circuit CPU': { unit: 'CPU ms a circuit', better: 'less' },
  payments: { unit: 'a second', better: 'more' },
  'payment CPU': { unit: 'CPU us a payment', better: 'less' },
};

/** A quantity over size, and what makes it grow faster, or slower, from some size on. */
interface Scaled extends GrowthPanel {
  readonly rises: string;
  readonly falls: string;
}

const scaled: readonly Scaled[] = [
  {
    measure: 'boot',
    title: 'Boot, until all are in the consensus',
    over: 'relays',
    by: 'layout',
    rises:
      'below, the first processes and votes cost more than the relays; above, all cores are busy making keys and starting relays',
    falls: 'the last vote is waited for less and less as relays come in together',
  },
  {
    measure: 'boot CPU',
    title: 'CPU of a relay until then',
    over: 'relays',
    by: 'layout',
    rises:
      'each new consensus is fetched, parsed and held by every relay, so that all together cost the square',
    falls: 'what a process costs once is shared by more relays',
  },
  {
    measure: 'memory',
    title: 'Memory of a relay then',
    over: 'relays',
    by: 'layout',
    rises:
      'every relay holds the descriptors and consensuses of all others, which weigh more than its own program from here on',
    falls:
      'Node, its code and its libraries are there once for all of a process, or shared between processes',
  },
  {
    measure: 'build',
    title: 'Building a circuit of three hops',
    over: 'circuits',
    rises: 'what a client and a relay do for each circuit begins to depend on how many there are',
    falls:
      'a few circuits are built at once as soon as there are a few, so that none waits for the way there and back alone',
  },
  {
    measure: 'circuit CPU',
    title: 'CPU of a circuit, built and ended, all nodes',
    over: 'circuits',
    rises: 'what a client and a relay do for each circuit begins to depend on how many there are',
    falls: 'more circuits share a turn of the event loops, and a write of their links',
  },
  {
    measure: 'payments',
    title: 'Durable payments at one relay',
    over: 'circuits paying',
    rises: 'REDEEMs of more circuits share one sync of the disk',
    falls: 'the CPU that verifies is busy: more circuits bring no more',
  },
  {
    measure: 'payment CPU',
    title: 'CPU of a payment at its relay',
    over: 'circuits paying',
    rises: 'records and sessions of more circuits no longer fit the caches',
    falls: 'payments share turns of the event loop and commits of the store',
  },
];

/** What more relays, circuits and payments cost, each over sizes that double or more; the power that fits, and where it bends. */
export function benchScale(options: BenchScaleOptions, terminal: Terminal): Promise<number> {
  return runBench('scale', options, terminal, async stage => {
    const sizes = sizesOf(options);
    const series = await measureAll(stage, sizes, options);
    const { cores, cpu, memoryMib } = stage.environment;
    const { repeat } = options;
    return {
      settings: { repeat, ...sizes },
      measures,
      series,
      findings: scaled.flatMap(each => findingsOf(series, each)),
      plot: growthPlot({
        title: 'Cost over size',
        subtitle: [`${repeat} repeats, ${cores} cores of ${cpu}, ${(memoryMib / 1_024).toFixed(0)} GiB`],
        measures,
        series,
        panels: scaled,
      }),
      notes: scaled.flatMap(each => bendsOf(series, each)),
    };
  });
}

interface Sizes {
  readonly relays: readonly number[];
  readonly circuits: readonly number[];
  readonly paying: readonly number[];
  /** At each number of paying circuits. */
  readonly payments: number;
}

function sizesOf({ quick = false, relays = 100, circuits = 10_000 }: BenchScaleOptions): Sizes {
  const upTo = (all: readonly number[], most: number) => all.filter(size => size <= most);
  return quick
    ? { relays: [3, 6], circuits: [1, 10, 100], paying: [1, 8, 64], payments: 640 }
    : {
        relays: upTo([3, 6, 12, 25, 50, 100], relays),
        circuits: upTo([1, 10, 100, 1_000, 3_000, 10_000], circuits),
        paying: [1, 4, 16, 64, 256, 1_024],
        payments: 4_096,
      };
}

async function measureAll(stage: Stage, sizes: Sizes, { quick, repeat }: BenchScaleOptions) {
  const { terminal, signal } = stage;
  const relayTrials = sizes.relays
    .filter(relays => {
      if (fits(relays)) return true;
      terminal.say(`${counted(relays, 'relay')}: left out, this machine has no memory free for them`);
      return false;
    })
    .flatMap(relays => layouts.map(layout => relaysTrial(stage, relays, layout)));
  // A first boot is what is measured; and in small, once must do.
  const relays = await measureTrials(
    relayTrials,
    { repeat: quick ? 1 : repeat, warmUp: 0 },
    terminal,
    signal,
  );
  terminal.say('starting three relays, and the clients that build circuits over them');
  const lab = await startCircuitLab(stage, Math.max(...sizes.circuits));
  const circuits = await measureTrials(
    sizes.circuits.map(size => circuitsTrial(lab, size)),
    { repeat },
    terminal,
    signal,
  );
  const paying = Math.max(...sizes.paying);
  terminal.say(`opening ${counted(paying, 'channel')}`);
  const relay = new PaidRelay(`${stage.dir}/paid`);
  stage.defer(() => relay.stop());
  await relay.open(paying);
  const payments = await measureTrials(
    sizes.paying.map(size => paymentsTrial(relay, size, sizes.payments)),
    { repeat },
    terminal,
    signal,
  );
  return [...relays, ...circuits, ...payments];
}

const nameOf = ({ measure }: Scaled, line: string): string => [measure, line].filter(Boolean).join(', ');

function findingsOf(series: readonly Series[], each: Scaled): Finding[] {
  return linesOf(series, each).flatMap(({ name, growth }) =>
    growth === undefined
      ? []
      : [
          {
            name: `${nameOf(each, name)}: exponent over ${each.over}`,
            unit: '',
            ...growth.exponent,
          },
        ],
  );
}

function bendsOf(series: readonly Series[], each: Scaled): string[] {
  return linesOf(series, each).map(({ name, sized, growth }) => {
    const what = nameOf(each, name);
    if (growth === undefined || sized.length < 4) return `${what}: too few sizes to see a bend.`;
    const { bend } = growth;
    if (bend === undefined)
      return `${what}: no bend, ${powerText(each.over, growth.exponent.value)} all the way.`;
    const { at, exponentBelow: below, exponentAbove: above } = bend;
    const why = above > below ? each.rises : each.falls;
    return `${what}: bends at ${at} ${each.over}, from ${powerText('n', below)} to ${powerText('n', above)}: ${why}.`;
  });
}
