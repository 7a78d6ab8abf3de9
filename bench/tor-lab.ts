import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../regtest/bitcoind.ts';
import {
  authorityLine,
  authorityLines,
  type ConfiguredNode,
  writeAuthority,
  writeTorrc,
} from '../scripts/network-config.ts';
import { startNode } from '../scripts/node-process.ts';
import { findTor, writeTorRelay } from '../scripts/tor-node.ts';
import type { Stage } from './run-bench.ts';

/** How C tor is set. */
export interface TorSettings {
  readonly name: string;
  /** Of every C tor's torrc. */
  readonly lines: readonly string[];
  /** The consensus' parameters. */
  readonly params: Readonly<Record<string, number>>;
}

/** Nothing but its own defaults, as Debian ships it. */
export const torAsInstalled: TorSettings = { name: 'C tor, default', lines: [], params: {} };

/**
 * What was found to be its best on loopback: cells are written as they come, Vegas may have far more under way, and a SENDME
 * answers four times as many cells.
 * Conflux is off in both, because it would have a client that asks for one circuit use two.
 */
export const torAtItsBest: TorSettings = {
  name: 'C tor, best',
  lines: ['Schedulers Vanilla'],
  params: {
    cc_alg: 2,
    cc_sendme_inc: 120,
    cc_cwnd_init: 2_000,
    cc_sscap_exit: 10_000,
    cc_cwnd_max: 50_000,
    cc_vegas_alpha_exit: 2_000,
    cc_vegas_beta_exit: 4_000,
    cc_vegas_gamma_exit: 2_000,
    cc_vegas_delta_exit: 8_000,
  },
};

/** Three relays and a client, all of them C tor; an authority of ours, which carries no cell of theirs, lists them. */
export interface TorLab {
  readonly name: string;
  /** HOST:PORT of the client's SOCKS proxy; a user of one's own is a circuit of one's own. */
  readonly socks: string;
  /** HOST:PORT of the authority's directory. */
  readonly directory: string;
  /** HOST:PORT of the guard's links. */
  readonly guard: string;
  readonly pids: Readonly<Record<'client' | 'guard' | 'middle' | 'exit', number>>;
}

/** Starts it; it ends with the stage. Its exit reaches `exitTo` of this machine. */
export async function startTorLab(
  stage: Stage,
  settings: TorSettings,
  exitTo: readonly string[],
): Promise<TorLab> {
  const root = join(stage.dir, settings.name.replaceAll(/\W+/g, '-'));
  const folder = (name: string): string => {
    const dir = join(root, name);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return dir;
  };
  const start = async (command: ConfiguredNode | Parameters<typeof startNode>[0]) => {
    const node = await startNode(command);
    stage.defer(() => node.stop());
    return node;
  };
  const { params } = settings;
  const authority = writeAuthority({ dir: folder('auth1'), nickname: 'auth1', params });
  const ready = (await start(authority)).readyLine;
  const authorities = [authorityLine(ready)];
  const relay = async (nickname: string, exit: boolean) => {
    const place = { nickname, exit, dir: folder(nickname), authorities, exitTo };
    const command = writeTorRelay(place);
    appendFileSync(command.torrc, `${settings.lines.join('\n')}\n`);
    const node = await start(command);
    return { pid: node.identity.pid, or: command.listensOf(node.readyLine).or };
  };
  const [guard, middle, exit] = await Promise.all([
    relay('guard1', false),
    relay('middle1', false),
    relay('exit1', true),
  ]);
  const socks = `127.0.0.1:${await freePort()}`;
  const client = await start(torClient(folder('client'), socks, authorities, settings));
  return {
    name: settings.name,
    socks,
    directory: authority.listensOf(ready).dir,
    guard: guard.or,
    pids: { client: client.identity.pid, guard: guard.pid, middle: middle.pid, exit: exit.pid },
  };
}

function torClient(dir: string, socks: string, authorities: readonly string[], settings: TorSettings) {
  const torrc = writeTorrc(dir, [
    `SocksPort ${socks}`,
    ...authorityLines(authorities),
    'EntryNodes guard1',
    'ExitNodes exit1',
    // Circuits stay for all repeats, as ours do.
    'MaxCircuitDirtiness 86400',
    'ConfluxEnabled 0',
    'Log notice stdout',
    ...settings.lines,
  ]);
  return {
    name: settings.name,
    executable: findTor(),
    args: ['-f', torrc, '__OwningControllerProcess', String(process.pid)],
    log: join(dir, 'log'),
    readyLine: /Bootstrapped 100%/,
    readyMsMax: 90_000,
  };
}
