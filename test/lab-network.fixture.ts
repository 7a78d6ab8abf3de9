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
export interface LabNetwork {
  readonly state: NetworkState;
  readonly control: ClientControl;
  readonly rpc: RpcCall;
  node(name: string): NodeState;
  /** kill -9, and waits until the process is gone. */
  kill(name: string): Promise<void>;
  /** Starts a node again with the files it was started with before. */
  restart(name: string): Promise<void>;
  /** A new connection to the client's control socket, after its restart. */
  reconnect(): Promise<ClientControl>;
  mine(blocks: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startLabNetwork(netYaml: string): Promise<LabNetwork> {
  const dir = await mkdtemp(join(tmpdir(), 'naulon-test-'));
  const start = new NetworkStart({
    dir,
    plan: parseNetFile('test', netYaml),
    exitTo: [],
    say: () => {},
    removeWhenOrphaned: dir,
  });
  const again: NodeProcess[] = [];
  const stop = async () => {
    await Promise.all(again.map(node => node.stop()));
    await start.stop();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    await start.chain();
    await start.nodes();
    const network = start.network();
    const { state } = network;
    let control = await controlOf(state.control);
    await start.fund(control);
    const rpc = regtestRpc(state.chain.rpcUrl, state.chain.cookieFile);
    const node = (name: string) => {
      const found = network.state.nodes.find(each => each.name === name);
      if (found === undefined) throw new Error(`no node ${name}`);
      return found;
    };
    return {
      get state() {
        return network.state;
      },
      get control() {
        return control;
      },
      rpc,
      node,
      async kill(name) {
        process.kill(node(name).process.pid, 'SIGKILL');
        await until(
          () => network.state.nodes.find(each => each.name === name)?.end !== undefined,
          `${name} is dead`,
        );
      },
      async restart(name) {
        const { role, dataDir } = node(name);
        const files = ['-f', join(dataDir, 'torrc'), '--pay', join(dataDir, 'pay.yaml')];
        again.push(
          await startNode({
            name,
            args: [role, ...files],
            log: join(dataDir, 'log'),
            readyLine: /"event":"ready"/,
            readyMsMax: 60_000,
          }),
        );
      },
      async reconnect() {
        control.close();
        control = await controlOf(network.state.control);
        return control;
      },
      async mine(blocks) {
        await network.funds?.mine(blocks);
      },
      async stop() {
        control.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
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
