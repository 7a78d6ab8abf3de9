import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type RpcCall, regtestRpc } from '../regtest/bitcoind-rpc.ts';
import { type ClientControl, controlOf } from '../scripts/client-control.ts';
import { parseNetFile } from '../scripts/net-file.ts';
import type { NetworkState, NodeState } from '../scripts/network-state.ts';
import { type NodeProcess, startNode } from '../scripts/node-process.ts';
import { NetworkStart } from '../scripts/spawn-network.ts';

/** A network of real processes on a real bitcoind, for one test file. */
export class LabNetwork {
  readonly rpc: RpcCall;
  readonly #start: NetworkStart;
  readonly #network: ReturnType<NetworkStart['network']>;
  readonly #again: NodeProcess[] = [];
  readonly dir: string;
  #control: ClientControl;

  constructor(dir: string, start: NetworkStart, control: ClientControl) {
    this.dir = dir;
    this.#start = start;
    this.#network = start.network();
    this.#control = control;
    const { rpcUrl, cookieFile } = this.state.chain;
    this.rpc = regtestRpc(rpcUrl, cookieFile);
  }

  get state(): NetworkState {
    return this.#network.state;
  }

  get control(): ClientControl {
    return this.#control;
  }

  /** The DirAuthority line of its first authority. */
  get authority(): string {
    const torrc = readFileSync(join(this.node('client').dataDir, 'torrc'), 'utf8');
    return /^DirAuthority (.*)$/m.exec(torrc)?.[1] ?? '';
  }

  node(name: string): NodeState {
    const found = this.state.nodes.find(each => each.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  /** kill -9, and waits until the process is gone. */
  async kill(name: string): Promise<void> {
    process.kill(this.node(name).process.pid, 'SIGKILL');
    await until(() => this.node(name).end !== undefined, `${name} is dead`);
  }

  /** Starts a node again with the files it was started with before. */
  async restart(name: string): Promise<void> {
    const { role, dataDir } = this.node(name);
    const torrc = join(dataDir, 'torrc');
    const args =
      role === 'authority'
        ? ['dirauth', '-f', torrc]
        : [role, '-f', torrc, '--pay', join(dataDir, 'pay.yaml')];
    const log = join(dataDir, 'log');
    this.#again.push(await startNode({ name, args, log, readyLine: /"event":"ready"/, readyMsMax: 60_000 }));
  }

  /** A new connection to the client's control socket, after its restart. */
  async reconnect(): Promise<ClientControl> {
    this.#control.close();
    this.#control = await controlOf(this.state.control);
    return this.#control;
  }

  /** Pays coins of the chain's own to an address; they wait for a block. */
  async faucet(address: string, sat: bigint): Promise<void> {
    await this.#network.funds?.faucet(address, sat);
  }

  async mine(blocks: number): Promise<void> {
    await this.#network.funds?.mine(blocks);
  }

  async stop(): Promise<void> {
    this.#control.close();
    await Promise.all(this.#again.map(node => node.stop()));
    await this.#start.stop();
    await removeFolder(this.dir);
  }
}

/** Starts what `netYaml` plans, with the client's wallet funded, in a folder that goes when the network stops. */
export async function startLabNetwork(netYaml: string): Promise<LabNetwork> {
  const dir = await mkdtemp(join(tmpdir(), 'naulon-test-'));
  const plan = parseNetFile('test', netYaml);
  const start = new NetworkStart({ dir, plan, exitTo: [], say: () => {}, removeWhenOrphaned: dir });
  try {
    await start.chain();
    await start.nodes();
    await start.fundClient();
    const control = await controlOf(start.network().state.control);
    return new LabNetwork(dir, start, control);
  } catch (error) {
    await start.stop();
    await removeFolder(dir);
    throw error;
  }
}

function removeFolder(dir: string): Promise<void> {
  return rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Waits for what will happen; the bound only ends a test that hangs. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  msMax = 60_000,
): Promise<void> {
  for (const deadline = performance.now() + msMax; !(await holds()); await pause(50))
    if (performance.now() > deadline) throw new Error(`still not: ${what}`);
}
