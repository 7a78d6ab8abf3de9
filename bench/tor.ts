import { megabytes, type Terminal } from '../scripts/terminal.ts';
import { findTor } from '../scripts/tor-node.ts';
import { barPlot } from './bar-plot.ts';
import { CreateLoad } from './create-load.ts';
import { startEchoServer } from './echo.ts';
import { type PaidLab, startPaidLab } from './paid-lab.ts';
import type { Finding, Findings } from './report.ts';
import { type BenchOptions, runBench, type Stage } from './run-bench.ts';
import { estimateOf, ratioOf } from './statistics.ts';
import { startTorLab, type TorLab, torAsInstalled, torAtItsBest } from './tor-lab.ts';
import { oneHopUser, ourSubject, ours, type Subject, torSubject } from './tor-subjects.ts';
import { bulkTrial, handshakeTrial, latencyTrial, memoryOf, memoryOver, torMeasures } from './tor-trials.ts';
import { transfer } from './traffic.ts';
import { type Factors, measureTrials, type Series, type Trial, valuesOf } from './trials.ts';

export interface BenchTorOptions extends BenchOptions {
  readonly size?: number;
  readonly bitcoind?: string;
}

/** What relays ask where nobody says otherwise. */
const price = '100000 sat/GiB';
const circuitsMax = 8;
/** What a circuit carries in all, warm-up and endurance included, twice over. */
const channelSizeSat = 500_000;
/** What our relays carry at last, in so many transfers, while their memory is watched. */
const endurance = { bytes: 10_000_000_000, transfers: 10 };
/**
 * Windows about a third as wide as C tor is fastest with: as fast here, and half the wait for who shares the path. A SENDME
 * answers as many cells as are treated at once.
 */
const oursAtItsBest = {
  cc_alg: 2,
  cc_sendme_inc: 120,
  cc_cwnd_init: 600,
  cc_sscap_exit: 2_000,
  cc_vegas_alpha_exit: 200,
  cc_vegas_beta_exit: 400,
  cc_vegas_gamma_exit: 200,
  cc_vegas_delta_exit: 1_000,
};
/** What still counts as flat. */
const growthMaxMb = 6;
const torNames = [torAsInstalled.name, torAtItsBest.name];

/** Our network beside the installed C tor, in turns on the same machine: speed, CPU, latency, handshakes, memory. */
export function benchTor(options: BenchTorOptions, terminal: Terminal): Promise<number> {
  // Before anything is started: without it there is nothing to compare with.
  findTor();
  return runBench('tor', options, terminal, async stage => {
    const { quick = false, repeat } = options;
    const { size = quick ? 8_000_000 : 105_000_000 } = options;
    const circuitCounts = quick ? [1, circuitsMax] : [1, 4, circuitsMax];
    const series = await measureAll(stage, {
      ...options,
      size,
      warmUpBytes: quick ? size : 400_000_000,
      enduranceBytes: quick ? 10 * size : endurance.bytes,
      circuitCounts,
      ms: quick ? 400 : 5_000,
    });
    const { cores, cpu, tor } = stage.environment;
    const subtitle = [
      `${megabytes(size)} in all each time, ${repeat} repeats, ${cores} cores of ${cpu}`,
      tor,
    ];
    return {
      settings: { size, repeat, price, window: 'auto', params: oursAtItsBest, best: torAtItsBest },
      measures: torMeasures,
      series,
      findings: findingsOf(series, circuitCounts),
      plot: plotOf(series, subtitle),
      notes: [
        `${torAtItsBest.name}: ${torAtItsBest.lines.join(', ')}; consensus ${paramsText(torAtItsBest.params)}`,
        `naulon: consensus ${paramsText(oursAtItsBest)}`,
        'CPU is that of client, guard, middle and exit together. The server, and who downloads, share the machine with both.',
      ],
    };
  });
}

async function measureAll(
  stage: Stage,
  options: BenchTorOptions & {
    readonly size: number;
    readonly warmUpBytes: number;
    readonly enduranceBytes: number;
    /** Of latency and handshakes. */
    readonly ms: number;
    readonly circuitCounts: readonly number[];
  },
): Promise<Series[]> {
  const { terminal, signal } = stage;
  const { size: bytes, warmUpBytes, enduranceBytes, ms, circuitCounts, repeat, bitcoind } = options;
  const echo = await startEchoServer();
  stage.defer(() => echo.stop());
  const lab = await startPaidLab(stage, {
    price,
    channelSizeSat,
    bitcoind,
    exitTo: [echo.address],
    params: oursAtItsBest,
  });
  const { lab: server } = lab.state;
  terminal.say('starting two networks of C tor: one as installed, one at its best settings');
  const tors = await Promise.all(
    [torAsInstalled, torAtItsBest].map(settings => startTorLab(stage, settings, [server, echo.address])),
  );
  terminal.say('building circuits, and a channel at each paid hop');
  const paid = await ourSubject(lab, 'paid', circuitsMax);
  const free = await ourSubject(lab, 'free', circuitsMax);
  const subjects = [paid, free, ...tors.map(torSubject)];
  const bulk = (subject: Subject, circuits: number): Trial =>
    bulkTrial({ subject, route: subject.bulk(circuits), hops: 3, lab: server, bytes, warmUpBytes, signal });
  const { socks } = lab.state;
  const oneHop = {
    subject: paid,
    route: { socks, users: [oneHopUser] },
    hops: 1,
    lab: server,
    bytes,
    warmUpBytes,
    signal,
  };
  const latency = (subject: Subject): Trial =>
    latencyTrial({ subject, circuits: circuitsMax, lab: server, echo: echo.address, ms, signal });
  const trials = [
    bulkTrial(oneHop),
    ...circuitCounts.flatMap(circuits => subjects.map(subject => bulk(subject, circuits))),
    ...subjects.map(latency),
    ...(await handshakeTrials(stage, lab, tors, ms / 2)),
  ];
  const series = await measureTrials(trials, { repeat }, terminal, signal);
  const each = Math.round(enduranceBytes / endurance.transfers / circuitsMax);
  const carry = () => transfer(paid.bulk(circuitsMax), server, each, signal);
  const others = subjects.filter(subject => subject !== paid);
  return [
    ...series,
    ...(await memoryOver(paid, endurance.transfers, terminal, carry)),
    ...others.flatMap(memoryOf),
  ];
}

/** CREATE2 at one relay of each network. */
function handshakeTrials(stage: Stage, lab: PaidLab, tors: readonly TorLab[], ms: number): Promise<Trial[]> {
  const { nodes } = lab.state;
  const listens = (name: string) => nodes.find(node => node.name === name)?.listens;
  const directory = listens('auth1')?.dir ?? '';
  const relays = [
    { name: ours.free, pid: lab.pids('free').guard, relay: listens('guard2')?.or ?? '', directory },
    ...tors.map(tor => ({ name: tor.name, pid: tor.pids.guard, relay: tor.guard, directory: tor.directory })),
  ];
  return Promise.all(
    relays.map(async each => {
      const load = await CreateLoad.to(each.relay, each.directory);
      stage.defer(() => load.stop());
      return handshakeTrial(each, each.pid, load, ms, stage.signal);
    }),
  );
}

function findingsOf(series: readonly Series[], circuitCounts: readonly number[]): Finding[] {
  const of = (measure: string, factors: Factors) => valuesOf(series, measure, factors);
  const bulk = (measure: string, subject: string, circuits: number) =>
    of(measure, { subject, hops: 3, circuits });
  const ratio = (
    name: string,
    values: readonly number[],
    base: readonly number[],
    goal?: Finding['goal'],
  ) => ({
    name,
    unit: 'x',
    ...ratioOf(values, base),
    ...(goal === undefined ? {} : { goal }),
  });
  const overTor = (what: string, goal: Finding['goal'], values: (subject: string) => readonly number[]) =>
    torNames.map(tor => ratio(`${what}, over ${tor}`, values(ours.paid), values(tor), goal));
  const counted = (circuits: number) => `${circuits} circuit${circuits > 1 ? 's' : ''}`;
  return [
    ...circuitCounts.flatMap(circuits =>
      overTor(`throughput, ${counted(circuits)}, paid`, { atLeast: 2 }, subject =>
        bulk('throughput', subject, circuits),
      ),
    ),
    ...circuitCounts.flatMap(circuits =>
      overTor(`CPU, ${counted(circuits)}, paid`, { atMost: 0.55 }, subject => bulk('cpu', subject, circuits)),
    ),
    ...overTor('latency p99, paid', { atMost: 0.5 }, subject => bulk('latency p99', subject, circuitsMax)),
    ratio(
      'throughput, one hop over three, paid',
      of('throughput', { subject: ours.paid, hops: 1, circuits: 1 }),
      bulk('throughput', ours.paid, 1),
      { atLeast: 1.5 },
    ),
    ...circuitCounts.map(circuits =>
      ratio(
        `throughput, ${counted(circuits)}, paid over free`,
        bulk('throughput', ours.paid, circuits),
        bulk('throughput', ours.free, circuits),
        { atLeast: 0.99 },
      ),
    ),
    {
      name: `CREATE2 a second and core, ${ours.free}`,
      unit: 'a CPU second',
      ...estimateOf(of('handshakes a core', { subject: ours.free })),
      goal: { atLeast: 5_000 },
    },
    ...torNames.map(subject =>
      ratio(
        `CREATE2 a second and core, over ${subject}`,
        of('handshakes a core', { subject: ours.free }),
        of('handshakes a core', { subject }),
      ),
    ),
    ...['guard', 'middle', 'exit'].flatMap(node =>
      memoryFindings(node, of('memory', { subject: ours.paid, node })),
    ),
  ];
}

/** @param resident MB, after each of the transfers. */
function memoryFindings(node: string, resident: readonly number[]): Finding[] {
  const secondHalf = resident.slice(-Math.ceil(endurance.transfers / 2));
  return [
    {
      name: `resident memory, ${node}, paid`,
      unit: 'MB',
      ...estimateOf(secondHalf),
      goal: { atMost: 120 },
    },
    {
      name: `growth of memory, ${node}, paid, over the last half`,
      unit: 'MB',
      ...estimateOf([(secondHalf.at(-1) ?? 0) - (secondHalf[0] ?? 0)]),
      goal: { atMost: growthMaxMb },
    },
  ];
}

function plotOf(series: readonly Series[], subtitle: readonly string[]): Findings['plot'] {
  const threeHops = ({ factors }: Series): boolean => factors.hops === 3;
  return barPlot({
    title: 'naulon beside C tor',
    subtitle,
    by: 'subject',
    measures: torMeasures,
    series,
    panels: [
      { measure: 'throughput', title: 'Throughput, three hops', along: 'circuits', where: threeHops },
      { measure: 'cpu', title: 'CPU of all four nodes', along: 'circuits', where: threeHops },
      { measure: 'latency p50', title: `Request beside ${circuitsMax} bulk circuits, median` },
      { measure: 'latency p99', title: `Request beside ${circuitsMax} bulk circuits, 99 of 100` },
      { measure: 'handshakes a core', title: 'CREATE2 handshakes at one relay' },
      { measure: 'memory', title: 'Resident memory', along: 'node' },
    ],
  });
}

function paramsText(params: Readonly<Record<string, number>>): string {
  return Object.entries(params)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
