import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectThrough } from '../client/socks-connect.ts';
import { type ClientControl, controlOf } from '../scripts/client-control.ts';
import { download } from '../scripts/download.ts';
import type { GlobalOptions } from '../scripts/global-options.ts';
import { interruption } from '../scripts/interruption.ts';
import { labUrl } from '../scripts/lab-server.ts';
import { parseNetFile } from '../scripts/net-file.ts';
import { splitAddress } from '../scripts/network-ports.ts';
import { seededSha256 } from '../scripts/seeded-bytes.ts';
import { type Network, NetworkStart } from '../scripts/spawn-network.ts';
import { grouped, megabytes, type Terminal, table, toJson } from '../scripts/terminal.ts';
import { OperatorError } from '../src/base/fault.ts';
import { describeEnvironment, type Environment } from './environment.ts';
import { writePlot } from './plot.ts';
import {
  mbPerSecond,
  summarise,
  toCsv,
  type WindowRun,
  type WindowSummary,
  windowPlot,
} from './window-results.ts';

export interface BenchWindowOptions extends GlobalOptions {
  readonly size: number;
  readonly repeat: number;
  readonly windows: readonly number[];
  readonly out: string;
  readonly bitcoind?: string;
}

/** The same relays twice: with a price at which the smallest window is worth claiming, and free as the control. */
const network = `
relays:
  - {count: 1, flags: [guard], price: 2000000 sat/GiB}
  - {count: 1, flags: [middle], price: 2000000 sat/GiB}
  - {count: 1, exit: true, price: 2000000 sat/GiB}
  - {count: 1, flags: [guard], price: 0 sat/GiB}
  - {count: 1, flags: [middle], price: 0 sat/GiB}
  - {count: 1, exit: true, price: 0 sat/GiB}
pay: {channel_size: 1500000}
`;
const paths = {
  paid: { 1: ['exit1'], 3: ['guard1', 'middle1', 'exit1'] },
  control: { 1: ['exit2'], 3: ['guard2', 'middle2', 'exit2'] },
} as const;
const hopCounts = [1, 3] as const;
const warmUpBytes = 5_000_000;

interface Transfer {
  readonly hops: 1 | 3;
  readonly windowCells: number | undefined;
  readonly repeat: number;
}

/** Throughput over payment window, as in paper 004's figure: a control without payments, then each window. */
export async function benchWindow(options: BenchWindowOptions, terminal: Terminal): Promise<number> {
  const environment = describeEnvironment();
  const stopping = interruption();
  const dir = await mkdtemp(join(tmpdir(), 'naulon-bench-'));
  const start = new NetworkStart({
    dir,
    plan: parseNetFile('the benchmark', network),
    bitcoind: options.bitcoind,
    exitTo: [],
    say: line => terminal.detail(line),
    signal: stopping.signal,
    removeWhenOrphaned: dir,
  });
  try {
    terminal.say('starting bitcoind, an authority, three priced relays and three free ones');
    await start.chain();
    await start.nodes();
    const spawned = start.network();
    const control = await controlOf(spawned.state.control);
    await start.fund(control);
    const runs = await measureAll(
      options,
      terminal,
      spawned,
      control,
      () => start.fund(control),
      stopping.signal,
    );
    control.close();
    return await report(options, terminal, environment, runs);
  } catch (error) {
    if (stopping.signal.aborted) return 130;
    throw error;
  } finally {
    await start.stop();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    stopping.done();
  }
}

/** Repeats go round all windows in turn, so that a slow minute of the machine touches each of them. */
async function measureAll(
  options: BenchWindowOptions,
  terminal: Terminal,
  spawned: Network,
  control: ClientControl,
  fund: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<WindowRun[]> {
  const plan: Transfer[] = [];
  for (let repeat = 0; repeat < options.repeat; repeat++)
    for (const windowCells of [undefined, ...options.windows])
      for (const hops of hopCounts) plan.push({ hops, windowCells, repeat });
  for (const hops of hopCounts) {
    const warmUp = { hops, windowCells: undefined, repeat: 0 };
    await measure(spawned, control, warmUp, warmUpBytes, signal, () => {});
  }
  const runs: WindowRun[] = [];
  for (const transfer of plan) {
    if (runs.length % 8 === 7) await fund();
    const { hops, windowCells } = transfer;
    const name = `${runs.length + 1}/${plan.length}  ${hops} hop${hops > 1 ? 's' : ''}, ${windowCells === undefined ? 'control' : `window ${grouped(windowCells)}`}`;
    const run = await measure(spawned, control, transfer, options.size, signal, bytes =>
      terminal.redraw(`${name}  ${megabytes(bytes)} of ${megabytes(options.size)}`),
    );
    runs.push(run);
    terminal.say(`${name}: ${mbPerSecond(run).toFixed(1)} MB/s, ${run.payments} payments`);
  }
  return runs;
}

async function measure(
  spawned: Network,
  control: ClientControl,
  { hops, windowCells, repeat }: Transfer,
  bytes: number,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<WindowRun> {
  const user = `bench-${hops}-${windowCells ?? 'control'}-${repeat}-${bytes}`;
  const path = paths[windowCells === undefined ? 'control' : 'paid'][hops];
  const circuit = await control.openCircuit(path, user, windowCells);
  const [host, port] = splitAddress(spawned.state.lab);
  const socket = await connectThrough({ socks: spawned.state.socks, user, password: user }, host, port);
  const file = { seed: 'bench', bytes };
  const downloaded = await download(socket, labUrl(spawned.state.lab, file), onProgress, signal);
  const closed = await control.closeCircuit(circuit.id);
  if (downloaded.sha256 !== (await sha256Of(bytes)))
    throw new OperatorError(
      'BENCH_WRONG_BYTES',
      `what came over ${path.join(' > ')} is not what was sent`,
      1,
    );
  return {
    hops,
    windowCells,
    repeat,
    bytes,
    seconds: downloaded.milliseconds / 1_000,
    payments: closed.hops.reduce((sum, hop) => sum + hop.payments, 0),
    paidMsat: closed.hops.reduce((sum, hop) => sum + hop.paidMsat, 0n),
  };
}

const hashes = new Map<number, Promise<string>>();

function sha256Of(bytes: number): Promise<string> {
  const known = hashes.get(bytes) ?? seededSha256({ seed: 'bench', bytes });
  hashes.set(bytes, known);
  return known;
}

async function report(
  options: BenchWindowOptions,
  terminal: Terminal,
  environment: Environment,
  runs: readonly WindowRun[],
): Promise<number> {
  const summary = summarise(runs);
  const path = join(options.out, 'payment-window');
  mkdirSync(options.out, { recursive: true });
  writeFileSync(
    `${path}.json`,
    `${toJson({ environment, options: { size: options.size, repeat: options.repeat }, summary, runs })}\n`,
  );
  writeFileSync(`${path}.csv`, toCsv(runs));
  const subtitle = `${megabytes(options.size)} a transfer, ${options.repeat} repeats, ${environment.cores} cores of ${environment.cpu}, Node ${environment.node}`;
  await writePlot(windowPlot(runs, subtitle), path);
  terminal.object({
    environment,
    summary,
    files: ['json', 'csv', 'svg', 'png'].map(ending => `${path}.${ending}`),
  });
  for (const line of summaryTable(summary)) terminal.print(line);
  terminal.print('');
  terminal.print(
    `${environment.cores} cores of ${environment.cpu}, Node ${environment.node}, commit ${environment.commit}, load before ${environment.loadBefore.toFixed(2)}`,
  );
  terminal.print(`written: ${path}.{json,csv,svg,png,vl.json}`);
  return 0;
}

function summaryTable(summary: readonly WindowSummary[]): string[] {
  const rows = summary.map(({ hops, windowCells, mbPerSecond: speed, paymentsMedian, ofControl }) => [
    String(hops),
    windowCells === undefined ? 'control' : grouped(windowCells),
    speed.median.toFixed(2),
    speed.min.toFixed(2),
    speed.max.toFixed(2),
    String(speed.repeats),
    String(paymentsMedian),
    `${(ofControl * 100).toFixed(1)} %`,
  ]);
  return table(['hops', 'window', 'MB/s', 'min', 'max', 'repeats', 'payments', 'of control'], rows);
}
