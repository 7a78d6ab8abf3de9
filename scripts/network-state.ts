import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { makeDirectory, readSecretFile, writeSecretFile } from '../src/node-io/data-directory.ts';
import { isRunning, type ProcessIdentity } from '../src/node-io/process-identity.ts';
import type { PlannedRelay } from './net-file.ts';

/** The broker of a local network, as pay.yaml names it. */
export interface BrokerAccess {
  readonly address: string;
  /** Hex. */
  readonly key: string;
}

export type NodeRole = 'bitcoind' | 'broker' | 'authority' | 'relay' | 'client';

/** How a node came to its end without being asked to. */
export interface NodeEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** ISO 8601. */
  readonly at: string;
}

export interface NodeState {
  readonly name: string;
  readonly role: NodeRole;
  /** Set for the real C tor. */
  readonly impl?: 'tor';
  readonly process: ProcessIdentity;
  /** Where it listens, by what for: or, dir, socks, control, rpc. */
  readonly listens: Readonly<Record<string, string>>;
  readonly dataDir: string;
  readonly log: string;
  /** Sat per GiB as in pay.yaml; absent for what costs nothing. */
  readonly price?: string;
  /** Whether a relay lets streams leave the network. */
  readonly exit?: boolean;
  readonly end?: NodeEnd;
}

/** A running network, as its supervisor writes it down for every other command. Readable by its owner alone. */
export interface NetworkState {
  readonly supervisor: ProcessIdentity;
  readonly startedAt: string;
  /** False while nodes are being started, or stopped. */
  readonly ready: boolean;
  readonly nodes: readonly NodeState[];
  /** Their DirAuthority values: whoever has them in its torrc trusts this network. */
  readonly authorities: readonly string[];
  /** HOST:PORT of the client's SOCKS5 proxy. */
  readonly socks: string;
  /** The client's control socket. */
  readonly control: string;
  /** HOST:PORT of the client's control port, for stem, nyx and whatever else speaks the Tor control protocol. */
  readonly controlPort: string;
  /** HOST:PORT of a server of test files, which the network's exits may reach. */
  readonly lab: string;
  readonly chain: ChainAccess;
  /** Where payments go through one. */
  readonly broker?: BrokerAccess | undefined;
}

/** How to reach the network's bitcoind. */
export interface ChainAccess {
  readonly rpcUrl: string;
  readonly cookieFile: string;
}

const fileName = 'network.json';
const addedFileName = 'added.json';

/** Makes the folder of a network, for its owner alone. */
export function makeNetworkDir(dir: string): void {
  makeDirectory(dir);
  chmodSync(dir, 0o700);
}

/** Refuses a folder that holds other things than a network, before anything in it is changed. */
export function refuseForeignDir(dir: string): void {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return;
  if (readdirSync(dir).length === 0 || holdsNetwork(dir)) return;
  const what = `${dir} holds other things than a network, and is left as it is; name a new or an empty folder with --data-dir`;
  throw new OperatorError('DATA_DIR_FOREIGN', what, exitCode.missing);
}

/** By what each way to begin one leaves there: `up`, `regtest start`, `wallet new` and `restore`. */
function holdsNetwork(dir: string): boolean {
  const everybodyWrites = (statSync(dir).mode & 0o002) !== 0;
  if (everybodyWrites) return false;
  const ours = [fileName, 'supervisor.log', 'bitcoind/regtest', 'auth1/torrc'];
  const has = (name: string) => existsSync(join(dir, name));
  return ours.some(has) || readdirSync(dir).some(node => has(join(node, 'store', 'records.mdb')));
}

export function writeNetworkState(dir: string, state: NetworkState): void {
  const file = join(dir, fileName);
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeNetworkState(dir: string): void {
  rmSync(join(dir, fileName), { force: true });
}

export function readNetworkState(dir: string): NetworkState | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, fileName), 'utf8')) as NetworkState;
  } catch {
    return undefined;
  }
}

/** Relays that were added to the network in `dir`, which the next `up` starts again: all but those whose folder is gone. */
export function readAdded(dir: string): PlannedRelay[] {
  const text = readSecretFile(join(dir, addedFileName));
  const added = text === undefined ? [] : (JSON.parse(text) as PlannedRelay[]);
  return added.filter(({ nickname }) => existsSync(join(dir, nickname)));
}

export function writeAdded(dir: string, relay: PlannedRelay): void {
  const others = readAdded(dir).filter(({ nickname }) => nickname !== relay.nickname);
  writeSecretFile(join(dir, addedFileName), JSON.stringify([...others, relay]));
}

/** The state of a network whose supervisor runs; an error that says how to start one otherwise. */
export function runningNetwork(dir: string): NetworkState {
  const state = readNetworkState(dir);
  if (state === undefined || !isRunning(state.supervisor)) throw networkDown(dir);
  return state;
}

/** The control socket of a network's client; an error that says how to have it back where the client has ended. */
export function clientControl({ nodes, control }: NetworkState): string {
  const client = nodes.find(({ role }) => role === 'client');
  if (client === undefined || (client.end === undefined && isRunning(client.process))) return control;
  const what = `the network's client has ended; start all again with: naulon down, then naulon up; its log: ${client.log}`;
  throw new OperatorError('CLIENT_NOT_RUNNING', what, exitCode.missing);
}

/** For a command that needs one there. */
export function networkDown(dir: string): OperatorError {
  return new OperatorError('NETWORK_DOWN', `no network runs in ${dir}; start one with: naulon up -d`, 3);
}
