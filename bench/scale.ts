import { counted, type Terminal } from '../scripts/terminal.ts';
import { type GrowthPanel, growthPlot, growthText, linesOf } from './growth-plot.ts';
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

/** A quantity over size, and why it would bend. */
interface Scaled extends GrowthPanel {
  /** Grows faster from some size on, … */
  readonly rises: string;
  /** … falls no more, … */
  readonly levels: string;
  /** … or grows more slowly, or falls faster. */
  readonly falls: string;
}

const scaled: readonly Scaled[] = [
  {
    measure: 'boot',
    title: 'Boot, until all are in the consensus',
    over: 'relays',
    by: 'layout',
    rises: 'every core is busy, and each new consensus goes to all relays, which together costs the square',
    levels: 'every core is busy starting relays and making their keys',
    falls: 'relays that come in together share a vote',
  },
  {
    measure: 'boot CPU',
    title: 'CPU of a relay until then',
    over: 'relays',
    by: 'layout',
    rises: 'every relay fetches and parses each new consensus of all, so that together they cost the square',
    levels: 'what a process costs once is shared out: the keys and documents of each relay are left',
    falls: 'what a process costs once is shared by more relays',
  },
  {
    measure: 'memory',
    title: 'Memory of a relay then',
    over: 'relays',
    by: 'layout',
    rises: 'every relay holds the documents of all, which now weigh more than what is its own',
    levels: 'what a process holds once is shared out: what each relay holds is left',
    falls: 'Node, its code and its libraries are there once for more relays',
  },
  {
    measure: 'build',
    title: 'Building a circuit of three hops',
    over: 'circuits',
    rises: 'client and relays look after all that are open, which now costs more than a new one',
    levels:
      'as many as may be are under way at once: all cores are busy, and the CPU of each circuit is left',
    falls: 'several are under way at once, so that none waits for the way there and back alone',
  },
  {
    measure: 'circuit CPU',
    title: 'CPU of a circuit, built and ended, all nodes',
    over: 'circuits',
    rises: 'client and relays look after all that are open, which now costs more than a new one',
    levels:
      'turns of event loops and writes of links are as full as they get: the keys of each circuit are left',
    falls: 'several circuits share turns of event loops and writes of links',
  },
  {
    measure: 'payments',
    title: 'Durable payments at one relay',
    over: 'circuits paying',
    rises: 'REDEEMs of more circuits share a sync of the disk',
    levels: 'REDEEMs of more circuits share a sync of the disk',
    falls: 'the CPU that verifies them is busy, and more circuits bring no more',
  },
  {
    measure: 'payment CPU',
    title: 'CPU of a payment at its relay',
    over: 'circuits paying',
    rises: 'the records of so many channels no longer fit the caches',
    levels:
      'turns of the event loop and commits of the store are as full as they get: to verify each payment is left',
    falls: 'payments share turns of the event loop and commits of the store',
  },
];

/** An exponent above this is growth. */
const flat = 0.1;

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
        subtitle: [
          `${counted(repeat, 'repeat')}, ${cores} cores of ${cpu}, ${(memoryMib / 1_024).toFixed(0)} GiB`,
        ],
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
        circuits: upTo([1, 10, 100, 1_000, 10_000], circuits),
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
  const { over, rises, levels, falls } = each;
  return linesOf(series, each).map(({ name, sized, growth }) => {
    const what = nameOf(each, name);
    if (growth === undefined || sized.length < 4) return `${what}: too few sizes to see a bend.`;
    const { bend } = growth;
    if (bend === undefined) return `${what}: ${growthText(over, growth)}, no bend.`;
    const { exponentBelow: below, exponentAbove: above } = bend;
    const why = above < below ? falls : above < flat ? levels : rises;
    return `${what}: ${growthText(over, growth)}; most likely ${why}.`;
  });
}
