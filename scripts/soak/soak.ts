import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { writePlot } from '../../bench/plot.ts';
import { exitCode } from '../../src/base/fault.ts';
import { makeOutputFolder } from '../../src/node-io/output-file.ts';
import type { GlobalOptions } from '../global-options.ts';
import { interruption } from '../interruption.ts';
import { colour, grouped, megabytes, type Terminal, table, toJson } from '../terminal.ts';
import { settleAll } from './money.ts';
import { watchedNodes } from './node-watch.ts';
import { SoakNetwork } from './soak-network.ts';
import { soakPlot } from './soak-plot.ts';
import { noTraffic, type Traffic, useClient } from './traffic.ts';
import { type Soaked, verdictOn } from './verdict.ts';

interface SoakFlags extends GlobalOptions {
  readonly minutes: number;
  readonly clients: number;
  readonly out: string;
  readonly bitcoind?: string;
}

/** Users that each client serves at a time. */
const usersEach = 1;
/** A relay goes down so often; in a short run once. */
const restartMs = 30_000;
const tellMs = 10_000;

/** A paid network under load, relays going down and up, then every channel settled: what it came to beside its goals. */
export async function soak(options: SoakFlags, terminal: Terminal): Promise<number> {
  makeOutputFolder(options.out);
  const stopping = interruption();
  const dir = await mkdtemp(join(tmpdir(), 'naulon-soak-'));
  let network: SoakNetwork | undefined;
  try {
    const { clients, bitcoind } = options;
    const say = (line: string) => terminal.detail(line);
    terminal.say(`starting bitcoind, an authority, six relays and ${clients} clients`);
    network = await SoakNetwork.start({ dir, clients, bitcoind, signal: stopping.signal, say });
    const soaked = await run(network, options.minutes, terminal, stopping.signal);
    return await report(soaked, options, terminal);
  } catch (error) {
    if (stopping.signal.aborted) return exitCode.interrupted;
    throw error;
  } finally {
    await network?.stop();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    stopping.done();
  }
}

/** Ctrl-C ends the load early; the money is settled and counted all the same. */
async function run(
  network: SoakNetwork,
  minutes: number,
  terminal: Terminal,
  interrupted: AbortSignal,
): Promise<Soaked> {
  const began = performance.now();
  const traffic = noTraffic();
  const load = new AbortController();
  const end = () => load.abort();
  const timer = setTimeout(end, minutes * 60_000);
  interrupted.addEventListener('abort', end);
  const ticker = setInterval(() => terminal.say(progress(traffic, network, began)), tellMs);
  let restarts = 0;
  try {
    const users = network.clients.flatMap(client =>
      Array.from({ length: usersEach }, () => useClient(network, client, traffic, load.signal)),
    );
    restarts = await restartRelays(network, minutes, load.signal);
    await Promise.all(users);
  } finally {
    clearTimeout(timer);
    clearInterval(ticker);
  }
  const nodes = watchedNodes(network.dir);
  const ran = (performance.now() - began) / 60_000;
  terminal.say('closing every channel, mining until all is settled');
  const money = await settleAll(network, line => terminal.say(line));
  return { minutes: ran, nodes, traffic, restarts, ended: network.ended, money };
}

/** Relays in turn, by kill -9 and in order. */
async function restartRelays(network: SoakNetwork, minutes: number, over: AbortSignal): Promise<number> {
  const everyMs = Math.min(restartMs, minutes * 20_000);
  for (let restarts = 0; ; restarts++) {
    await pause(everyMs, undefined, { signal: over }).catch(() => {});
    if (over.aborted) return restarts;
    const relay = network.relays[restarts % network.relays.length];
    await network.restart(relay, restarts % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
  }
}

function progress(
  { circuits, downloads, bytes, failed }: Traffic,
  network: SoakNetwork,
  began: number,
): string {
  const minutes = ((performance.now() - began) / 60_000).toFixed(1);
  const done = `${circuits} circuits, ${downloads} downloads, ${megabytes(bytes)}`;
  return `${minutes} min: ${done}, ${network.troubles.length} restarts, ${failed.length} failed`;
}

async function report(soaked: Soaked, options: SoakFlags, terminal: Terminal): Promise<number> {
  const { minutes, nodes, traffic, ended, money } = soaked;
  const rows = verdictOn(soaked);
  const path = join(options.out, 'soak');
  mkdirSync(options.out, { recursive: true });
  const summary = `${minutes.toFixed(1)} minutes, ${grouped(traffic.downloads)} downloads over ${grouped(money.channels)} channels, ${soaked.restarts} relays restarted`;
  await writePlot(soakPlot(nodes, summary), path);
  const short = rows.filter(({ met }) => met === false);
  const figures = { ok: short.length === 0, rows, ...soaked };
  writeFileSync(`${path}.json`, `${toJson(figures)}\n`);
  terminal.object({ ...figures, nodes: nodes.map(({ samples: _, ...rest }) => rest) });
  const lines = table(
    ['what', 'reached', 'goal', ''],
    rows.map(({ what, reached, goal, met }) => [
      what,
      reached,
      goal,
      met === undefined ? '' : met ? 'ok' : 'SHORT',
    ]),
  );
  for (const line of lines) terminal.print(line);
  for (const line of [...traffic.failed, ...ended, ...money.wrong]) terminal.print(colour.red(line));
  terminal.print(`picture: ${path}.png; every sample: ${path}.json`);
  return short.length === 0 ? exitCode.ok : exitCode.badAnswer;
}
