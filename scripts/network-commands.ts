import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ExitCode, OperatorError } from '../src/base/fault.ts';
import { isRunning, signalProcess } from '../src/node-io/process-identity.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { anotherRelay, exitingTo, type NetPlan, paidBy, planOf, readNetFile, schemeOf } from './net-file.ts';
import {
  makeNetworkDir,
  type NetworkState,
  type NodeState,
  networkDown,
  readNetworkState,
  refuseForeignDir,
  removeNetworkState,
} from './network-state.ts';
import { naulonFile } from './node-process.ts';
import { tellSteps } from './regtest-commands.ts';
import { spawnNetwork } from './spawn-network.ts';
import { serveSupervisor } from './supervisor-socket.ts';
import { colour, type Terminal, table } from './terminal.ts';

const stopMsMax = 60_000;

interface UpOptions extends GlobalOptions {
  readonly relays?: number;
  readonly scheme?: string;
  readonly detach?: boolean;
  readonly supervise?: boolean;
  readonly exitTo?: readonly string[];
  readonly bitcoind?: string;
}

/** What a supervisor tells the command that detached it. */
type SupervisorMessage =
  | { readonly say: string }
  | { readonly ready: NetworkState }
  | { readonly fault: Fault };
interface Fault {
  readonly code: string;
  readonly message: string;
  readonly exitCode: ExitCode;
}

/** Starts a network: in the foreground until interrupted, or (-d) leaving it to a supervisor of its own. */
export async function up(options: UpOptions, terminal: Terminal, [file]: string[]): Promise<number> {
  const plan = exitingTo(paidBy(planFrom(file, options.relays), options.scheme), options.exitTo);
  await schemeOf(plan.pay);
  const dir = resolve(options.dataDir);
  refuseForeignDir(dir);
  if (options.detach && !options.supervise) return detach(options, terminal, file);
  const stopping = interruption();
  const tell = (message: SupervisorMessage) => process.connected && process.send?.(message);
  const say = (line: string) => {
    terminal.say(line);
    tell({ say: line });
  };
  try {
    const onStep = tellSteps({ ...terminal, say });
    const { bitcoind } = options;
    const network = await spawnNetwork({
      dir,
      plan,
      bitcoind,
      exitTo: [],
      onStep,
      say,
      signal: stopping.signal,
    });
    const unserve = await serveSupervisor(dir, wish =>
      network.add(anotherRelay(plan, wish, network.state.nodes)),
    );
    try {
      tell({ ready: network.state });
      if (options.supervise) letGo();
      showNetwork(network.state, terminal);
      terminal.say('Ctrl-C stops the network.');
      await stopping.requested;
    } finally {
      say('stopping');
      await unserve();
      await network.stop();
    }
    return 0;
  } catch (error) {
    if (stopping.signal.aborted) return 130;
    if (error instanceof OperatorError) {
      const { code, message, exitCode } = error;
      tell({ fault: { code, message, exitCode } });
    }
    throw error;
  } finally {
    stopping.done();
  }
}

function planFrom(file: string | undefined, relays: number | undefined): NetPlan {
  if (file === undefined || file === '') return planOf(relays ?? 3);
  if (relays !== undefined)
    throw new OperatorError('USAGE', `--relays and ${file} both say how many relays there are; use one`, 2);
  return readNetFile(file);
}

/** The supervisor outlives the command that started it, from the moment the network is ready. */
function letGo(): void {
  process.removeAllListeners('disconnect');
  if (process.connected) process.disconnect();
}

async function detach(options: UpOptions, terminal: Terminal, file: string | undefined): Promise<number> {
  const dir = resolve(options.dataDir);
  makeNetworkDir(dir);
  const log = openSync(join(dir, 'supervisor.log'), 'a', 0o600);
  const args = ['up', '--supervise', '--data-dir', dir];
  if (file) args.push(resolve(file));
  if (options.relays !== undefined) args.push('--relays', String(options.relays));
  if (options.scheme !== undefined) args.push('--scheme', options.scheme);
  if (options.bitcoind !== undefined) args.push('--bitcoind', options.bitcoind);
  for (const target of options.exitTo ?? []) args.push('--exit-to', target);
  const child = spawn(process.execPath, [naulonFile(), ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  const state = await new Promise<NetworkState>((ready, failed) => {
    child.on('message', (message: SupervisorMessage) => {
      if ('say' in message) terminal.say(message.say);
      else if ('ready' in message) ready(message.ready);
      else failed(new OperatorError(message.fault.code, message.fault.message, message.fault.exitCode));
    });
    child.once('exit', () =>
      failed(new OperatorError('NETWORK_ENDED', `the network ended; see ${dir}/supervisor.log`, 4)),
    );
  });
  child.unref();
  showNetwork(state, terminal);
  return 0;
}

function showNetwork(state: NetworkState, terminal: Terminal): void {
  const { socks, control, controlPort, chain, nodes } = state;
  terminal.object({ socks, control, controlPort, chain, nodes });
  terminal.print(`SOCKS5  ${socks}`);
  terminal.print(`control ${controlPort} (Tor control protocol, by cookie: nyx -i ${controlPort})`);
  terminal.print(`try     curl --socks5-hostname ${socks} URL`);
}

/** A table of the nodes. Exit code 1 when one that should run does not. */
export async function status(options: GlobalOptions, terminal: Terminal): Promise<number> {
  const dir = resolve(options.dataDir);
  const state = readNetworkState(dir);
  if (state === undefined)
    throw new OperatorError('NETWORK_DOWN', `no network in ${dir}; start one with: naulon up -d`, 3);
  const supervised = isRunning(state.supervisor);
  const nodes = state.nodes.map(node => ({ ...node, state: stateOf(node) }));
  const failed = nodes.filter(node => node.state !== 'running');
  const { socks, controlPort, chain, startedAt } = state;
  terminal.object({ supervised, ready: state.ready, startedAt, socks, controlPort, chain, nodes });
  const rows = nodes.map(node => [
    node.name,
    node.impl === 'tor' ? `${node.role} (C tor)` : node.role,
    String(node.process.pid),
    node.state,
    Object.entries(node.listens)
      .map(([use, at]) => `${use} ${at}`)
      .join(', '),
    node.price ?? '',
  ]);
  for (const line of table(['node', 'role', 'pid', 'state', 'listens', 'price'], rows)) terminal.print(line);
  if (!supervised)
    terminal.print(colour.red('The supervisor is gone, and its nodes with it; clean up with: naulon down'));
  return supervised && failed.length === 0 ? 0 : 1;
}

/** running · crashed (and how) · gone. */
function stateOf(node: NodeState): string {
  if (node.end !== undefined) {
    const { signal, code } = node.end;
    return `crashed${signal !== null ? ` (${signal})` : code !== null ? ` (code ${code})` : ''}`;
  }
  return isRunning(node.process) ? 'running' : 'gone';
}

/** The last lines that a node, or each node, has logged. */
export async function logs(
  options: GlobalOptions & { lines: number },
  terminal: Terminal,
  [name]: string[],
): Promise<undefined> {
  const dir = resolve(options.dataDir);
  // One that has crashed is asked, too.
  const network = readNetworkState(dir);
  if (network === undefined) throw networkDown(dir);
  const { nodes } = network;
  const wanted = name ? nodes.filter(node => node.name === name) : nodes;
  if (wanted.length === 0) {
    const known = nodes.map(node => node.name).join(', ') || 'none';
    throw new OperatorError('NODE_UNKNOWN', `no node ${name ?? ''} in ${dir}; known: ${known}`, 2);
  }
  for (const node of wanted) {
    const lines = lastLines(node.log, options.lines);
    terminal.object({ node: node.name, file: node.log, lines });
    for (const line of lines) terminal.print(wanted.length > 1 ? `${node.name.padEnd(10)} ${line}` : line);
  }
  return undefined;
}

function lastLines(file: string, count: number): string[] {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count);
  } catch {
    return [];
  }
}

/** Stops everything and sees to it that it is gone. Data stays. */
export async function down(options: GlobalOptions, terminal: Terminal): Promise<number> {
  const dir = resolve(options.dataDir);
  const state = readNetworkState(dir);
  if (state === undefined) {
    terminal.object({ stopped: 0 });
    terminal.print(`nothing runs in ${dir}`);
    return 0;
  }
  signalProcess(state.supervisor, 'SIGTERM');
  const everything = [state.supervisor, ...state.nodes.map(node => node.process)];
  if (!(await allGone(everything, stopMsMax)))
    for (const process of everything) signalProcess(process, 'SIGKILL');
  const gone = await allGone(everything, 10_000);
  if (!gone)
    throw new OperatorError('NETWORK_STUCK', `a process of the network in ${dir} cannot be stopped`, 4);
  removeNetworkState(dir);
  terminal.object({ stopped: state.nodes.length });
  terminal.print(`stopped ${state.nodes.length} nodes; data kept in ${dir}`);
  return 0;
}

async function allGone(processes: readonly NodeState['process'][], withinMs: number): Promise<boolean> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await pause(50))
    if (!processes.some(isRunning)) return true;
  return false;
}
