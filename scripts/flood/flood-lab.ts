import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuSecondsOf, residentBytesOf } from '../../bench/process-usage.ts';
import type { Stage } from '../../bench/run-bench.ts';
import type { Endpoint } from '../../src/ports.ts';
import { type ClientControl, controlOf } from '../client-control.ts';
import { type NetPlan, parseNetFile } from '../net-file.ts';
import { writeClient } from '../network-config.ts';
import { splitAddress } from '../network-ports.ts';
import type { NetworkState, NodeState } from '../network-state.ts';
import { startNode } from '../node-process.ts';
import { NetworkStart } from '../spawn-network.ts';
import type { Aim } from './attack.ts';
import { startHostileNames } from './hostile-names.ts';
import { type LoopDelay, loopDelayOf } from './loop-delay.ts';
import { PacedStream, startPacedServer } from './paced-load.ts';
import { type CountingServer, startCountingServer } from './springs.ts';

/** What each honest stream asks for: together a fraction of what the relays carry, so that a lack of CPU shows at once. */
const streamBytesPerSecond = 1_000_000;
/** The honest streams, by user, and the relays that each is paid to. The last hop of one of them costs nothing. */
const paths: Readonly<Record<string, readonly string[]>> = {
  honest1: ['guard1', 'middle1', 'exit1'],
  honest2: ['guard1', 'middle1', 'exit1'],
  honest3: ['guard1', 'middle1', 'exit2'],
};
const price = '20000 sat/GiB';
const channelSizeSat = 500_000;
const rssEveryMs = 100;
/** What the relays' queues may hold: 100,000 cells. */
export const queueCapBytes = 100_000 * 512;

/** C tor's defences, which a consensus enables. Their rates are C tor's defaults. */
const defences = { DoSCircuitCreationEnabled: 1, DoSConnectionEnabled: 1, DoSStreamCreationEnabled: 1 };

/** What the honest clients got, and how a relay did meanwhile. */
export interface Watched {
  readonly seconds: number;
  /** Bytes of all honest streams together, a second. */
  readonly bytesPerSecond: number;
  /** By node. */
  readonly loop: Readonly<Record<string, LoopDelay>>;
  /** Most bytes that each node had resident. */
  readonly rssMost: Readonly<Record<string, number>>;
  /** Seconds of CPU that each node used in a second. */
  readonly cpu: Readonly<Record<string, number>>;
}

/** A paid network with honest clients who go on, whatever is done to it. */
export class FloodLab {
  readonly #start: NetworkStart;
  readonly #stage: Stage;
  readonly #state: NetworkState;
  readonly #control: ClientControl;
  readonly #paced: string;
  readonly spring: CountingServer;
  readonly sink: CountingServer;
  readonly secrets: readonly CountingServer[];
  /** At the spring's port, where no exit may connect. */
  readonly hidden: CountingServer;
  #streams: { readonly user: string; readonly stream: PacedStream }[] = [];
  #users = 0;
  #clients = 0;

  private constructor(
    stage: Stage,
    start: NetworkStart,
    control: ClientControl,
    servers: {
      readonly paced: string;
      readonly spring: CountingServer;
      readonly sink: CountingServer;
      readonly secrets: readonly CountingServer[];
      readonly hidden: CountingServer;
    },
  ) {
    this.#stage = stage;
    this.#start = start;
    this.#state = start.network().state;
    this.#control = control;
    this.#paced = servers.paced;
    this.spring = servers.spring;
    this.sink = servers.sink;
    this.secrets = servers.secrets;
    this.hidden = servers.hidden;
  }

  /** Starts it; it ends with the stage. */
  static async start(stage: Stage, bitcoind: string | undefined): Promise<FloodLab> {
    const { terminal, dir } = stage;
    const paced = await startPacedServer(streamBytesPerSecond);
    stage.defer(() => paced.stop());
    const spring = await startCountingServer('pours');
    stage.defer(() => spring.stop());
    const sink = await startCountingServer('is silent');
    const secrets = await startSecrets();
    const hidden = await startCountingServer('closes', '127.0.0.2', spring.port);
    for (const server of [...secrets, hidden, sink]) stage.defer(() => server.stop());
    const names = await startHostileNames();
    stage.defer(async () => names.stop());
    const resolvConf = join(dir, 'resolv.conf');
    writeFileSync(resolvConf, `nameserver ${names.at}\n`);
    const start = new NetworkStart({
      dir,
      plan: planOfLab(),
      bitcoind,
      program: fileURLToPath(new URL('./watched-node.js', import.meta.url)),
      exitTo: [paced.address, `127.0.0.1:${spring.port}`, `127.0.0.1:${sink.port}`],
      relayLines: [`ServerDNSResolvConfFile ${resolvConf}`, `MaxMemInQueues ${queueCapBytes} bytes`],
      say: line => terminal.detail(line),
      signal: stage.signal,
      removeWhenOrphaned: dir,
    });
    stage.defer(() => start.stop());
    terminal.say('starting bitcoind, an authority, three priced relays and a free one, and honest clients');
    await start.chain();
    await start.nodes();
    const control = await controlOf(start.network().state.control);
    stage.defer(async () => control.close());
    const lab = new FloodLab(stage, start, control, { paced: paced.address, spring, sink, secrets, hidden });
    await lab.mend();
    return lab;
  }

  /** Aborted when somebody wants the floods to end. */
  get signal(): AbortSignal {
    return this.#stage.signal;
  }

  node(name: string): NodeState {
    const found = this.#state.nodes.find(node => node.name === name);
    if (found === undefined) throw new Error(`no node is called ${name}`);
    return found;
  }

  aim(scale: number): Aim {
    const or = (name: string): Endpoint => endpointOf(this.node(name).listens.or);
    return {
      guard: or('guard1'),
      exit: or('exit1'),
      freeExit: or('exit2'),
      directory: this.node('auth1').listens.dir,
      socks: endpointOf(this.#state.socks),
      control: endpointOf(this.#state.controlPort),
      spring: { host: '127.0.0.1', port: this.spring.port },
      sink: { host: '127.0.0.1', port: this.sink.port },
      secret: { host: '127.0.0.1', port: this.secrets[0].port },
      scale,
    };
  }

  /** Opens the honest streams that are not there: at first all of them, later those that a flood has ended. How many. */
  async mend(): Promise<number> {
    const lost = Object.keys(paths).filter(
      path => !this.#streams.some(({ user, stream }) => user.startsWith(`${path}-`) && !stream.ended),
    );
    for (const path of lost) {
      await this.#start.fund(this.#control);
      const user = `${path}-${++this.#users}`;
      await this.#control.openCircuit(paths[path], user);
      const stream = await PacedStream.open(this.#state.socks, user, this.#paced);
      this.#streams = [...this.#streams.filter(each => !each.user.startsWith(`${path}-`)), { user, stream }];
      this.#stage.defer(async () => stream.close());
    }
    return lost.length;
  }

  /** Watches honest streams and these nodes for as long as `work` takes. */
  async watch(nodes: readonly string[], work: () => Promise<unknown>): Promise<Watched> {
    const watched = nodes.map(name => this.node(name));
    await Promise.all(watched.map(loopDelayOf));
    const rssNow = () =>
      Object.fromEntries(watched.map(({ name, process }) => [name, residentBytesOf(process.pid)]));
    const rssMost = rssNow();
    const look = setInterval(() => {
      if (this.signal.aborted || this.ended.length > 0) return;
      const now = rssNow();
      for (const name of nodes) rssMost[name] = Math.max(rssMost[name], now[name]);
    }, rssEveryMs);
    const cpuNow = () => watched.map(({ process }) => cpuSecondsOf(process.pid));
    const cpuBefore = cpuNow();
    const began = performance.now();
    const before = this.#honestBytes();
    try {
      await work();
    } finally {
      clearInterval(look);
    }
    const seconds = (performance.now() - began) / 1_000;
    const bytesPerSecond = (this.#honestBytes() - before) / seconds;
    const cpu = Object.fromEntries(cpuNow().map((used, at) => [nodes[at], (used - cpuBefore[at]) / seconds]));
    const delays = await Promise.all(
      watched.map(async node => [node.name, await loopDelayOf(node)] as const),
    );
    return { seconds, bytesPerSecond, loop: Object.fromEntries(delays), rssMost, cpu };
  }

  /** Seconds that a new client takes until it has built a circuit. */
  async bootstrapSeconds(): Promise<number> {
    const dir = join(this.#stage.dir, `newcomer${++this.#clients}`);
    mkdirSync(dir, { mode: 0o700 });
    const { authorities, chain } = this.#state;
    const began = performance.now();
    const client = await startNode(
      writeClient({ dir, socks: 'auto', authorities, chain, plan: planOfLab() }),
    );
    const seconds = (performance.now() - began) / 1_000;
    await client.stop();
    return seconds;
  }

  /** Whether all nodes still run. */
  get ended(): readonly string[] {
    return this.#start.network().state.nodes.flatMap(({ name, end }) => (end === undefined ? [] : [name]));
  }

  #honestBytes(): number {
    return this.#streams.reduce((sum, { stream }) => sum + stream.bytes, 0);
  }
}

/** Four relays, one of them free, with C tor's defences on. */
function planOfLab(): NetPlan {
  const plan = [
    'relays:',
    `  - {flags: [guard], price: ${price}}`,
    `  - {flags: [middle], price: ${price}}`,
    `  - {exit: true, price: ${price}}`,
    '  - {exit: true, price: 0 sat/GiB}',
    `pay: {channel_size: ${channelSizeSat}}`,
    `params: ${JSON.stringify(defences)}`,
  ];
  return parseNetFile('the flood', plan.join('\n'));
}

/** The same port on several addresses that no exit may reach. */
async function startSecrets(): Promise<CountingServer[]> {
  const first = await startCountingServer('closes');
  const others = await Promise.all(
    ['127.0.0.2', '::1'].map(host => startCountingServer('closes', host, first.port).catch(() => undefined)),
  );
  return [first, ...others.filter(other => other !== undefined)];
}

function endpointOf(address: string): Endpoint {
  const [host, port] = splitAddress(address);
  return { host, port };
}
