import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type RpcCall, regtestRpc } from '../../regtest/bitcoind-rpc.ts';
import { OperatorError } from '../../src/base/fault.ts';
import { isRunning, type ProcessIdentity, signalProcess } from '../../src/node-io/process-identity.ts';
import { type ClientControl, controlOf, untilKnown } from '../client-control.ts';
import { type MoneyControl, moneyControl } from '../money-control.ts';
import { type NetPlan, type PlannedRelay, parseNetFile, relaysOf } from '../net-file.ts';
import { writeClient } from '../network-config.ts';
import { startNode } from '../node-process.ts';
import { type Network, NetworkStart } from '../spawn-network.ts';
import { idleName, writeWatchedProgram } from './node-samples.ts';

/** A client of the network, under watch like all nodes. */
export interface SoakClient {
  readonly name: string;
  readonly control: ClientControl;
  readonly money: MoneyControl;
  /** HOST:PORT of its SOCKS5 proxy. */
  readonly socks: string;
}

export interface SoakOptions {
  readonly dir: string;
  readonly clients: number;
  readonly bitcoind?: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const endMsMax = 30_000;
/** As all of our programs print it. */
const readyLine = /"event":"ready"/;
const readyMsMax = 60_000;

/** Two relays of each kind, so that circuits go on while one of them is down. */
const plan: NetPlan = parseNetFile(
  'the soak',
  'relays:\n  - {count: 2, flags: [guard]}\n  - {count: 2, flags: [middle]}\n  - {count: 2, exit: true}\npay: {window: 2048}\n',
);

/** A paid network of processes with several clients, whose relays may be taken down and up again. */
export class SoakNetwork {
  readonly dir: string;
  readonly rpc: RpcCall;
  readonly clients: readonly SoakClient[];
  /** What all wallets were given. */
  readonly fundedSat: bigint;
  /** Deaths and births of relays on the path are why a download may break. */
  readonly troubles: { readonly relay: string; readonly fromMs: number; toMs: number }[] = [];
  readonly #network: Network;
  readonly #program: string;
  /** All nodes, in their present lives. */
  readonly #processes: Map<string, ProcessIdentity>;
  readonly #stops: (() => Promise<unknown>)[];

  private constructor(parts: SoakParts, clients: readonly SoakClient[], fundedSat: bigint) {
    const { dir, network, program, processes, stops } = parts;
    this.dir = dir;
    this.#network = network;
    this.#program = program;
    this.#processes = processes;
    this.#stops = stops;
    this.clients = clients;
    this.fundedSat = fundedSat;
    this.rpc = regtestRpc(network.chain.rpcUrl, network.chain.cookieFile);
  }

  static async start(options: SoakOptions): Promise<SoakNetwork> {
    const { dir, bitcoind, say, signal } = options;
    const program = writeWatchedProgram(dir);
    const start = new NetworkStart({
      dir,
      plan,
      bitcoind,
      program,
      exitTo: [],
      say,
      signal,
      removeWhenOrphaned: dir,
    });
    const stops: (() => Promise<unknown>)[] = [() => start.stop()];
    try {
      await start.chain();
      await start.nodes();
      const network = start.network();
      const processes = new Map(network.state.nodes.map(({ name, process }) => [name, process]));
      const parts = { dir, program, network, processes, stops };
      await startIdle(parts);
      const clients: SoakClient[] = [];
      let fundedSat = 0n;
      for (let index = 0; index < options.clients; index++) {
        const name = index === 0 ? 'client' : `client${index + 1}`;
        const at =
          index === 0
            ? { socks: network.state.socks, control: network.state.control }
            : await startClient(name, parts);
        const [control, money] = [await controlOf(at.control), await moneyControl(at.control)];
        stops.push(
          async () => control.close(),
          async () => money.disconnect(),
        );
        // Its first consensus may be older than the last relay.
        for (const { nickname } of relaysOf(plan))
          if (!(await untilKnown(control, nickname, () => signal.aborted)))
            throw new OperatorError('NODE_START', `${name} does not learn of ${nickname}`, 4);
        fundedSat += (await start.fund(control)).sat;
        clients.push({ name, control, money, socks: at.socks });
      }
      return new SoakNetwork(parts, clients, fundedSat);
    } catch (error) {
      await stopAll(stops);
      throw error;
    }
  }

  /** HOST:PORT of the server of test files. */
  get lab(): string {
    return this.#network.state.lab;
  }

  get relays(): readonly PlannedRelay[] {
    return relaysOf(plan);
  }

  /** Nodes that run no more, though nobody asked them to end. */
  get ended(): readonly string[] {
    return [...this.#processes].filter(([, process]) => !isRunning(process)).map(([name]) => name);
  }

  /** Takes the relay down, by kill -9 or in order, and starts it again on what it has stored. */
  async restart(relay: PlannedRelay, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { nickname } = relay;
    const trouble = { relay: nickname, fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY };
    this.troubles.push(trouble);
    const process = this.#processes.get(nickname);
    if (process === undefined || !signalProcess(process, signal))
      throw new OperatorError('SOAK_ENDED', `${nickname} was not running any more`, 1);
    const deadline = performance.now() + endMsMax;
    while (isRunning(process)) {
      if (performance.now() > deadline)
        throw new OperatorError('SOAK_ENDED', `${nickname} does not end on ${signal}`, 1);
      await pause(20);
    }
    const dir = join(this.dir, nickname);
    const node = await startNode({
      name: nickname,
      args: ['relay', '-f', join(dir, 'torrc'), '--pay', join(dir, 'pay.yaml')],
      log: join(dir, 'log'),
      readyLine,
      readyMsMax,
      program: this.#program,
    });
    this.#stops.push(() => node.stop());
    this.#processes.set(nickname, node.identity);
    trouble.toMs = Date.now();
  }

  mine(blocks: number): Promise<unknown> {
    return this.#network.funds?.mine(blocks) ?? Promise.resolve();
  }

  stop(): Promise<void> {
    return stopAll(this.#stops);
  }
}

async function startClient(
  name: string,
  { dir, program, network, processes, stops }: SoakParts,
): Promise<{ socks: string; control: string }> {
  const place = join(dir, name);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const { authorities } = network.state;
  const written = writeClient({
    dir: place,
    authorities,
    chain: network.chain,
    plan,
    socks: 'auto',
    control: 'auto',
  });
  const node = await startNode({ ...written, name, program });
  stops.push(() => node.stop());
  processes.set(name, node.identity);
  return { socks: written.listensOf(node.readyLine).socks, control: written.control };
}

async function startIdle({ dir, program, stops }: SoakParts): Promise<void> {
  const place = join(dir, idleName);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const node = await startNode({
    name: idleName,
    args: [idleName, '-f', join(place, 'torrc')],
    log: join(place, 'log'),
    readyLine,
    readyMsMax,
    program,
  });
  stops.push(() => node.stop());
}

interface SoakParts {
  readonly dir: string;
  readonly program: string;
  readonly network: Network;
  readonly processes: Map<string, ProcessIdentity>;
  readonly stops: (() => Promise<unknown>)[];
}

async function stopAll(stops: (() => Promise<unknown>)[]): Promise<void> {
  for (const stop of stops.splice(0).reverse()) await stop();
}
