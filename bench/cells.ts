import { PaidNetwork } from '../scripts/sim/paid-network.ts';
import { megabytes, type Terminal } from '../scripts/terminal.ts';
import { assert } from '../src/base/assert.ts';
import { relayBodyBytesMax } from '../src/base/limits.ts';
import { memoryCredit } from '../src/schemes/memory-credit/index.ts';
import { barPlot } from './bar-plot.ts';
import { type PaidLab, startPaidLab, type Tariff } from './paid-lab.ts';
import { withCpu } from './process-usage.ts';
import type { Finding } from './report.ts';
import { type BenchOptions, runBench, type Stage } from './run-bench.ts';
import { estimateOf, ratioOf } from './statistics.ts';
import { transfer } from './traffic.ts';
import { type Measure, measureTrials, type Series, type Trial, valuesOf } from './trials.ts';

export interface BenchCellsOptions extends BenchOptions {
  readonly size?: number;
  readonly bitcoind?: string;
}

const price = '100000 sat/GiB';
const relays = 3;
const roles = ['client', 'guard', 'middle', 'exit'] as const;
const sockets: Readonly<Record<Tariff, string>> = { free: 'TLS, free', paid: 'TLS, paid' };
const simulated: Readonly<Record<Tariff, string>> = { free: 'simulated, free', paid: 'simulated, paid' };
const measures: Readonly<Record<string, Measure>> = {
  cells: { unit: 'a CPU second', better: 'more' },
};

/** Cells that a CPU second carries: through each node over real TLS, and through relay cores in one process without any socket. */
export function benchCells(options: BenchCellsOptions, terminal: Terminal): Promise<number> {
  return runBench('cells', options, terminal, async stage => {
    const { quick = false, repeat, bitcoind } = options;
    const { size = quick ? 5_000_000 : 105_000_000 } = options;
    const lab = await startPaidLab(stage, { price, bitcoind });
    const tariffs: readonly Tariff[] = ['free', 'paid'];
    const trials = [
      ...(await Promise.all(tariffs.map(tariff => socketTrial(lab, tariff, size, stage)))),
      // Bytes cost more there, and tell as much.
      ...tariffs.map(tariff => simulatedTrial(tariff, size / 10)),
    ];
    const series = split(await measureTrials(trials, { repeat }, terminal, stage.signal));
    const { cores, cpu } = stage.environment;
    return {
      settings: { repeat, size, price },
      measures,
      series,
      findings: findingsOf(series),
      plot: barPlot({
        title: 'Cells that a CPU second carries',
        subtitle: [`${megabytes(size)} over three hops, ${repeat} repeats, ${cores} cores of ${cpu}`],
        by: 'subject',
        measures,
        series,
        panels: [
          { measure: 'cells', title: 'Each node, over TLS', along: 'node', where: isOverTls },
          { measure: 'cells', title: 'Relay cores, simulated', where: each => !isOverTls(each) },
        ],
      }),
    };
  });
}

const isOverTls = ({ factors }: Series): boolean => String(factors.subject).startsWith('TLS');

/** What each node of one transfer found, as a series of its own. */
function split(series: readonly Series[]): Series[] {
  return series.map(({ measure: node, factors, values }) => ({
    measure: 'cells',
    factors: { ...factors, node },
    values,
  }));
}

/** One circuit of three hops over real links; the DATA cells of its payload, by the CPU of each node. */
async function socketTrial(lab: PaidLab, tariff: Tariff, bytes: number, stage: Stage): Promise<Trial> {
  const user = `cells-${tariff}`;
  await lab.open(tariff, 3, user);
  return {
    name: sockets[tariff],
    factors: { subject: sockets[tariff] },
    async run(_repeat, tell) {
      const route = { socks: lab.state.socks, users: [user] };
      const { cpu } = await withCpu(lab.pids(tariff), () =>
        transfer(route, lab.state.lab, bytes, stage.signal, soFar => tell(megabytes(soFar))),
      );
      return Object.fromEntries(roles.map(role => [role, bytes / relayBodyBytesMax / cpu[role]]));
    },
  };
}

/**
 * Client, server, three relays and what is between them, all in this process: each DATA cell counts once for each relay
 * that it passes, and all of the CPU, the simulation's too, counts against them.
 */
function simulatedTrial(tariff: Tariff, bytes: number): Trial {
  const purse = { purseMsat: 10_000_000_000n, limitMsat: 10_000_000_000n };
  return {
    name: simulated[tariff],
    factors: { subject: simulated[tariff] },
    async run(repeat) {
      const network = new PaidNetwork({
        seed: repeat,
        relays,
        exits: 1,
        clients: 1,
        priceMsatPer2Pow20: tariff === 'free' ? 0n : 50_000_000n,
        schemeFor: () => memoryCredit(purse),
      });
      network.bootstrap();
      const before = process.cpuUsage();
      network.transfer(bytes);
      const { user, system } = process.cpuUsage(before);
      assert(network.users.complete === 1, 'the whole file came');
      return { relays: (relays * bytes) / relayBodyBytesMax / ((user + system) / 1e6) };
    },
  };
}

function findingsOf(series: readonly Series[]): Finding[] {
  const cells = (subject: string, node: string) => valuesOf(series, 'cells', { subject, node });
  return [
    ...roles.map(node => ({
      name: `cells through the ${node}, paid`,
      unit: 'a CPU second',
      ...estimateOf(cells(sockets.paid, node)),
    })),
    ...roles.map(node => ({
      name: `cells through the ${node}, paid over free`,
      unit: 'x',
      ...ratioOf(cells(sockets.paid, node), cells(sockets.free, node)),
    })),
  ];
}
