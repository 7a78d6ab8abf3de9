import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { OperatorError } from '../src/base/fault.ts';
import { type BitcoindProgram, knownSettings } from './bitcoind-program.ts';
import { type RpcCall, RpcFault, regtestRpc } from './bitcoind-rpc.ts';
import { findBitcoind } from './find-bitcoind.ts';
import { guardOrphan } from './orphan-guard.ts';

const startTries = 5;
const readyMsMax = 60_000;
const stopMsMax = 20_000;
/** Settings that not every release has; an unknown one is fatal. */
const forkSettings = [
  // spec: bip-0431; elsewhere that is the only policy there is.
  '-mempooltruc=enforce',
  // Knots takes whatever is locked until block 21 for a parasite of the chain, and now and then its own wallet picks that
  // height against fee sniping: the payment has an id, and never comes to a block.
  '-rejectparasites=0',
];

/** A regtest bitcoind that this process started and owns. */
export interface Bitcoind {
  readonly pid: number;
  readonly program: BitcoindProgram;
  readonly rpcPort: number;
  /** http://127.0.0.1:PORT, without credentials. */
  readonly rpcUrl: string;
  /** Holds user:password, readable by its owner alone. */
  readonly cookieFile: string;
  readonly dataDir: string;
  readonly rpc: RpcCall;
  /** The same, asked about one of its wallets. */
  walletRpc(wallet: string): RpcCall;
  /** Resolves when the process is gone, for whatever reason; true when nobody asked it to go. */
  readonly ended: Promise<boolean>;
  /** Stops it in order, by signal if it does not listen, and removes its folder when that was temporary. */
  stop(): Promise<void>;
  /** Ends it without warning, as a crash would; the folder stays and may be given to a new start. */
  kill(): Promise<void>;
}

export interface BitcoindOptions {
  /** Found, or provisioned, when not given. */
  readonly program?: BitcoindProgram;
  /** Where its chain lies: kept at stop. A temporary folder, removed at stop, when not given. */
  readonly dataDir?: string;
  /** A free one when not given. */
  readonly rpcPort?: number;
  /** Further options of bitcoind, such as -txindex=0. */
  readonly args?: readonly string[];
  /** A folder to remove when this process dies without stopping bitcoind; the temporary data folder in any case. */
  readonly removeWhenOrphaned?: string;
}

/** Starts bitcoind on a private chain, on a free port, and waits until it answers. */
export async function startBitcoind(options: BitcoindOptions = {}): Promise<Bitcoind> {
  const program = options.program ?? (await findBitcoind());
  const temporary = options.dataDir === undefined;
  const dataDir = resolve(options.dataDir ?? (await mkdtemp(join(tmpdir(), 'naulon-regtest-'))));
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const settings = await knownSettings(program, forkSettings);
  try {
    for (let tries = 1; ; tries++) {
      const rpcPort = options.rpcPort ?? (await freePort());
      const args = [...chainOptions(dataDir, rpcPort), ...settings, ...(options.args ?? [])];
      const started = await startOnce(program, dataDir, rpcPort, args, temporary, options.removeWhenOrphaned);
      if (typeof started !== 'string') return started;
      if (options.rpcPort !== undefined || tries === startTries || !/unable to bind/i.test(started))
        throw new OperatorError('BITCOIND_START', `bitcoind does not start: ${started}`, 3);
    }
  } catch (error) {
    if (temporary) await rm(dataDir, { recursive: true, force: true });
    throw error;
  }
}

function chainOptions(dataDir: string, rpcPort: number): string[] {
  return [
    '-regtest',
    `-datadir=${dataDir}`,
    '-server=1',
    `-rpcport=${rpcPort}`,
    '-rpcbind=127.0.0.1',
    '-rpcallowip=127.0.0.1',
    // Every node of a network holds a thread by its long poll for blocks.
    '-rpcthreads=64',
    '-rpcworkqueue=512',
    '-listen=0',
    '-dnsseed=0',
    '-txindex=1',
    '-fallbackfee=0.00002',
    '-keypool=10',
    '-par=1',
    '-dbcache=16',
    '-printtoconsole=0',
  ];
}

/** A TCP port of the loopback address that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => found(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** The running bitcoind, or why it ended before it was ready. */
async function startOnce(
  program: BitcoindProgram,
  dataDir: string,
  rpcPort: number,
  args: string[],
  temporary: boolean,
  removeWhenOrphaned = temporary ? dataDir : undefined,
): Promise<Bitcoind | string> {
  const cookieFile = join(dataDir, 'regtest', '.cookie');
  // A cookie that a crash left behind would be taken for the new one.
  await rm(cookieFile, { force: true });
  const child = spawn(program.command, [...program.args, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const errors = collectErrors(child);
  let asked = false;
  const ended = new Promise<boolean>(over => {
    child.once('exit', () => over(!asked));
    child.once('error', () => over(!asked));
  });
  if (child.pid === undefined) {
    await ended;
    return `${program.command} cannot be run`;
  }
  const callOff = guardOrphan(child.pid, dataDir, removeWhenOrphaned);
  void ended.then(callOff);
  const rpcUrl = `http://127.0.0.1:${rpcPort}`;
  const rpc = regtestRpc(rpcUrl, cookieFile);
  if (!(await answers(rpc, cookieFile, ended))) {
    child.kill('SIGKILL');
    await ended;
    return errors() || (await lastLogLine(dataDir));
  }
  child.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  const end = async (how: () => Promise<void>): Promise<void> => {
    asked = true;
    child.ref();
    await how();
    await ended;
  };
  return {
    pid: child.pid,
    program,
    rpcPort,
    rpcUrl,
    cookieFile,
    dataDir,
    rpc,
    walletRpc: wallet => regtestRpc(rpcUrl, cookieFile, wallet),
    ended,
    stop: async () => {
      await end(() => stopInOrder(child, rpc, ended));
      if (temporary) await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
    },
    kill: () => end(async () => void child.kill('SIGKILL')),
  };
}

function collectErrors(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-4_000);
  });
  return () => text.trim().split('\n').join(' ');
}

async function answers(rpc: RpcCall, cookieFile: string, ended: Promise<boolean>): Promise<boolean> {
  let gone = false;
  void ended.then(() => {
    gone = true;
  });
  for (const deadline = Date.now() + readyMsMax; Date.now() < deadline && !gone; await pause(30)) {
    if (!existsSync(cookieFile)) continue;
    try {
      await rpc('getblockcount');
      return true;
    } catch (error) {
      // -28: still loading. No code: not listening yet. 401: the cookie is being replaced.
      if (error instanceof RpcFault && error.code !== -28 && error.code !== 401) throw error;
    }
  }
  return false;
}

async function stopInOrder(child: ChildProcess, rpc: RpcCall, ended: Promise<boolean>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const within = (ms: number) => Promise.race([ended.then(() => true), pause(ms, false)]);
  const told = await rpc('stop').then(
    () => true,
    () => false,
  );
  if (told && (await within(stopMsMax))) return;
  child.kill('SIGTERM');
  if (!(await within(stopMsMax))) child.kill('SIGKILL');
}

async function lastLogLine(dataDir: string): Promise<string> {
  const text = await readFile(join(dataDir, 'regtest', 'debug.log'), 'utf8').catch(() => '');
  return text.trim().split('\n').at(-1) || 'it ended without a word';
}
