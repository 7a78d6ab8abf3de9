import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Bitcoind, startBitcoind } from '../regtest/bitcoind.ts';
import { regtestRpc } from '../regtest/bitcoind-rpc.ts';
import { type FindStep, findBitcoind } from '../regtest/find-bitcoind.ts';
import { type Funds, openFunds } from '../regtest/funds.ts';
import { OperatorError } from '../src/base/fault.ts';
import { identityOf, isRunning } from '../src/node-io/process-identity.ts';
import { isModulePath } from '../src/node-io/scheme-module.ts';
import { type ClientControl, controlOf, untilKnown } from './client-control.ts';
import { startLabServer } from './lab-server.ts';
import { untilSeen } from './money-control.ts';
import { type NetPlan, type PlannedRelay, relaysWith, schemeOf } from './net-file.ts';
import { brokerOf, fundAccounts, writeBroker } from './network-broker.ts';
import {
  addAuthorities,
  authorityLine,
  type ConfiguredNode,
  keepPorts,
  writeAuthority,
  writeClient,
  writeRelay,
} from './network-config.ts';
import { torPorts } from './network-ports.ts';
import {
  type BrokerAccess,
  type ChainAccess,
  makeNetworkDir,
  type NetworkState,
  type NodeState,
  readAdded,
  readNetworkState,
  removeNetworkState,
  writeAdded,
  writeNetworkState,
} from './network-state.ts';
import { type NodeProcess, startNode, untilTrue } from './node-process.ts';
import { grouped } from './terminal.ts';
import { knownToTor, writeTorRelay } from './tor-node.ts';

const relayKnowsMsMax = 120_000;
/** Coins that a client's wallet starts with: several, so that no two channels are funded by one transaction. */
const walletCoins = 12;
const walletCoinSat = 2_000_000n;

export interface SpawnOptions {
  /** Made when absent; holds a folder per node and network.json. Kept at stop. */
  readonly dir: string;
  readonly plan: NetPlan;
  readonly bitcoind?: string;
  /** The program that nodes are run by; ./naulon when absent. */
  readonly program?: string;
  /** Loopback servers that the network's exits may reach, beside public ones. */
  readonly exitTo: readonly string[];
  /** Further lines of our relays' torrc. */
  readonly relayLines?: readonly string[];
  readonly onStep?: (step: FindStep) => void;
  /** Told what has been started, and what ended without being asked to. */
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
  /** A temporary folder that is to go even when this process is killed. */
  readonly removeWhenOrphaned?: string;
}

/** A local network that this process started and owns: every node in its own process. */
export interface Network {
  readonly state: NetworkState;
  readonly funds: Funds | undefined;
  readonly chain: ChainAccess;
  /** Starts one more relay, and waits until the client can use it. */
  add(relay: PlannedRelay): Promise<NodeState>;
  /** Stops all nodes in order, the chain last. Data stays. */
  stop(): Promise<void>;
}

/** Starts bitcoind, authorities, relays and a client, and waits until circuits can be built. */
export async function spawnNetwork(options: SpawnOptions): Promise<Network> {
  const starting = new NetworkStart(options);
  try {
    await starting.chain();
    await starting.nodes();
    await starting.fundClient();
    return starting.network();
  } catch (error) {
    await starting.stop();
    throw error;
  }
}

/**
 * A network while it is being started: first the chain, then the nodes. Knows what runs so far, in order, so that it
 * can be stopped in the opposite one at any time.
 */
export class NetworkStart {
  readonly #options: SpawnOptions;
  /** Stopped from the last stage to the first; what is of one stage, together. */
  readonly #stages: (() => Promise<void>)[][] = [];
  /** What stops relays: each started later, too, ends after the client that pays it. */
  readonly #relays: (() => Promise<void>)[] = [];
  #nodes: NodeState[] = [];
  /** Bytes of each node's log when it was started. */
  readonly #loggedBefore = new Map<string, number>();
  #authorities: readonly string[] = [];
  #ready = false;
  #stopping = false;
  #socks = '';
  #control = '';
  #controlPort = '';
  #lab = '';
  #chain: ChainAccess = { rpcUrl: '', cookieFile: '' };
  #funds: Funds | undefined;
  /** Set where payments go through one. */
  #broker: BrokerAccess | undefined;
  readonly #startedAt = new Date().toISOString();

  constructor(options: SpawnOptions) {
    const before = readNetworkState(options.dir);
    if (before !== undefined && isRunning(before.supervisor))
      throw new OperatorError(
        'NETWORK_UP',
        `a network runs in ${options.dir} already; stop it with: naulon down`,
        2,
      );
    makeNetworkDir(options.dir);
    this.#options = options;
  }

  async chain(): Promise<void> {
    const { plan, dir, say, onStep, bitcoind: asked, signal } = this.#options;
    if (plan.chain.kind === 'rpc') {
      this.#chain = { rpcUrl: plan.chain.url, cookieFile: plan.chain.cookie };
      await regtestRpc(
        plan.chain.url,
        plan.chain.cookie,
      )('getblockcount').catch(error => {
        throw new OperatorError('CHAIN_UNREACHABLE', `the chain does not answer: ${error.message}`, 3);
      });
      return;
    }
    const program = await findBitcoind({ bitcoind: asked, say: onStep, signal });
    signal?.throwIfAborted();
    const dataDir = join(dir, 'bitcoind');
    const bitcoind = await startBitcoind({
      program,
      dataDir,
      removeWhenOrphaned: this.#options.removeWhenOrphaned,
    });
    this.#stages.push([() => bitcoind.stop()]);
    this.#funds = await openFunds(bitcoind);
    this.#stages.push([this.#funds.autoMine()]);
    this.#chain = { rpcUrl: bitcoind.rpcUrl, cookieFile: bitcoind.cookieFile };
    this.#addBitcoind(bitcoind);
    const height = await bitcoind.rpc<number>('getblockcount');
    say(`bitcoind   ${program.title.replace(' daemon version v', ' ')}, regtest, height ${height}`);
  }

  #addBitcoind(bitcoind: Bitcoind): void {
    const identity = identityOf(bitcoind.pid);
    if (identity === undefined) return;
    const log = join(bitcoind.dataDir, 'regtest', 'debug.log');
    this.#nodes.push({
      name: 'bitcoind',
      role: 'bitcoind',
      process: identity,
      listens: { rpc: `127.0.0.1:${bitcoind.rpcPort}` },
      dataDir: bitcoind.dataDir,
      log,
    });
    void bitcoind.ended.then(alone => {
      if (alone) this.#onEnd('bitcoind', null, null);
    });
  }

  async nodes(): Promise<void> {
    const { plan, dir } = this.#options;
    const lab = await startLabServer();
    this.#stages.push([() => lab.close()]);
    this.#lab = `127.0.0.1:${lab.port}`;
    this.#stages.push([]);
    if ((await schemeOf(plan.pay))?.brokered !== undefined) await this.#startBroker();
    this.#authorities = await this.#startAuthorities();
    const authorities = this.#authorities;
    this.#stages.push(this.#relays);
    await allOf(relaysWith(plan, readAdded(dir)).map(relay => this.#startRelay(relay)));
    this.#stages.push([]);
    const clientDir = this.#nodeDir('client');
    const written = { dir: clientDir, authorities, chain: this.#chain, broker: this.#broker, plan };
    const ports = await torPorts();
    const client = writeClient({ ...written, ...ports });
    this.#control = client.control;
    const ready = await this.#start('client', clientDir, client).catch(async error => {
      // Somebody else was faster to take Tor's ports.
      const now = await torPorts();
      if (now.socks === ports.socks && now.control === ports.control) throw error;
      return this.#start('client', clientDir, writeClient({ ...written, socks: 'auto', control: 'auto' }));
    });
    const listens = client.listensOf(ready);
    this.#socks = listens.socks;
    this.#controlPort = listens.control;
    await this.#untilAllKnowAll();
    this.#ready = true;
    this.#write();
  }

  async #startBroker(): Promise<void> {
    const dir = this.#nodeDir('broker');
    const { scheme } = this.#options.plan.pay;
    const outside = isModulePath(scheme) ? scheme : undefined;
    const broker = writeBroker(dir, this.#chain, this.#nodeDir('client'), outside);
    this.#broker = brokerOf(await this.#start('broker', dir, broker));
    this.#stages.push([]);
  }

  /** Starts those that vote. Returns the DirAuthority values by which all others trust them. */
  async #startAuthorities(): Promise<string[]> {
    const { authorities: count, params } = this.#options.plan;
    const authorities = Array.from({ length: count }, (_, index) => {
      const nickname = `auth${index + 1}`;
      const dir = this.#nodeDir(nickname);
      return { dir, command: writeAuthority({ dir, nickname, params }) };
    });
    if (authorities.length > 1) {
      const trusted = await allOf(authorities.map(({ command }) => this.#introduce(command)));
      for (const { command } of authorities) addAuthorities(command.torrc, trusted);
    }
    const ready = await allOf(authorities.map(({ dir, command }) => this.#start('authority', dir, command)));
    return ready.map(authorityLine);
  }

  #startRelay(relay: PlannedRelay): Promise<string> {
    const { plan, relayLines } = this.#options;
    const dir = this.#nodeDir(relay.nickname);
    const exitTo = [this.#lab, ...(plan.exit_to ?? []), ...this.#options.exitTo];
    const place = { ...relay, dir, authorities: this.#authorities, exitTo };
    const command =
      relay.impl === 'tor'
        ? writeTorRelay(place)
        : writeRelay({ ...place, chain: this.#chain, broker: this.#broker, plan, lines: relayLines });
    return this.#start('relay', dir, command, this.#relays);
  }

  /**
   * A relay without a consensus has none of its parameters, so that circuits through it would be others than those to come; one whose
   * consensus lacks relays lacks what new clients ask of it. A first consensus may be made before all have published, and the client
   * keeps the one it has for a while.
   */
  async #untilAllKnowAll(): Promise<void> {
    const running = this.#nodes.filter(({ end }) => end === undefined);
    const relays = running.filter(({ role }) => role === 'relay');
    const learning = [...relays, ...running.filter(({ role }) => role === 'client')];
    await allOf(learning.map(node => this.#untilItKnows(node, relays.length)));
  }

  async #untilItKnows({ name, impl, log, dataDir }: NodeState, count: number): Promise<void> {
    const knows =
      impl === 'tor' ? () => knownToTor(dataDir) : () => knownByLog(log, this.#loggedBefore.get(log));
    const over = () => this.#stopping;
    if (await untilTrue(() => knows() >= count, relayKnowsMsMax, over)) return;
    throw new OperatorError('NODE_START', `${name} runs, but does not learn of the network; see ${log}`, 4);
  }

  async #untilClientKnows(name: string): Promise<void> {
    const control = await controlOf(this.#control);
    try {
      if (await untilKnown(control, name, () => this.#stopping)) return;
      throw new OperatorError('NODE_START', `${name} runs, but the client does not learn of it`, 4);
    } finally {
      control.close();
    }
  }

  #nodeDir(name: string): string {
    const dir = join(this.#options.dir, name);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return dir;
  }

  async add(relay: PlannedRelay): Promise<NodeState> {
    const { nickname } = relay;
    if (this.#nodes.some(({ name, end }) => name === nickname && end === undefined))
      throw new OperatorError('NODE_EXISTS', `there is a node ${nickname} already; choose another name`, 2);
    this.#nodes = this.#nodes.filter(({ name }) => name !== nickname);
    await this.#startRelay(relay);
    writeAdded(this.#options.dir, relay);
    await this.#untilClientKnows(nickname);
    return this.#nodes.find(({ name }) => name === nickname) as NodeState;
  }

  /** Has an authority make its keys and take its ports, and say who it is: others must know before it votes. */
  async #introduce(command: ConfiguredNode): Promise<string> {
    const node = await startNode({ ...command, program: this.#options.program });
    this.#stages.at(-1)?.push(() => node.stop());
    keepPorts(command.torrc, command.listensOf(node.readyLine));
    await node.stop();
    return authorityLine(node.readyLine);
  }

  /** Fills the client's wallet on a private chain, where coins cost nothing. Nothing to do where nothing is paid in bitcoins. */
  async fundClient(): Promise<void> {
    if (this.#funds === undefined || this.#options.plan.pay.scheme === 'none') return;
    if (this.#broker !== undefined) {
      this.#options.say(`accounts   ${grouped(await this.fundAccounts())} sat in the client's`);
      return;
    }
    if (isModulePath(this.#options.plan.pay.scheme)) return;
    const control = await controlOf(this.#control);
    try {
      const { sat, coins } = await this.fund(control);
      this.#options.say(`wallet     ${grouped(sat)} sat in ${coins} new coins`);
    } finally {
      control.close();
    }
  }

  /** Pays into the accounts of client and broker, where it has become little; returns what the client's holds, in satoshi. */
  async fundAccounts(): Promise<bigint> {
    if (this.#funds === undefined || this.#broker === undefined) return 0n;
    const dirs = { broker: this.#nodeDir('broker'), client: this.#nodeDir('client') };
    return fundAccounts(this.#broker, dirs, this.#funds);
  }

  /** Pays coins to a wallet that has less than half of what a network's client starts with; waits until it sees them. */
  async fund(control: ClientControl): Promise<{ sat: bigint; coins: number }> {
    const before = await control.walletSat();
    const coins = before * 2n >= BigInt(walletCoins) * walletCoinSat ? 0 : walletCoins;
    const paid: string[] = [];
    for (let coin = 0; coin < coins && this.#funds !== undefined; coin++)
      paid.push(await this.#funds.faucet(await control.walletAddress(), walletCoinSat));
    if (paid.length > 0) await this.#funds?.mine(1);
    await untilSeen(control.walletCoins, paid, this.#options.signal);
    return { sat: before + BigInt(coins) * walletCoinSat, coins };
  }

  async #start(
    role: NodeState['role'],
    dataDir: string,
    command: ConfiguredNode,
    stops = this.#stages.at(-1),
  ): Promise<string> {
    this.#options.signal?.throwIfAborted();
    this.#loggedBefore.set(command.log, statSync(command.log, { throwIfNoEntry: false })?.size ?? 0);
    const node = await startNode({ ...command, program: this.#options.program });
    stops?.push(() => node.stop());
    const { name, log, price, exit, torrc } = command;
    const listens = command.listensOf(node.readyLine);
    keepPorts(torrc, listens);
    const impl = command.executable === undefined ? undefined : 'tor';
    this.#nodes.push({ name, role, impl, process: node.identity, listens, dataDir, log, price, exit });
    this.#watch(node);
    this.#write();
    const where = Object.entries(listens).map(([use, at]) => `${use} ${at}`);
    this.#options.say(`${name.padEnd(10)} ${where.join(', ')}`);
    return node.readyLine;
  }

  #watch(node: NodeProcess): void {
    void node.ended.then(({ code, signal, asked }) => {
      if (!asked) this.#onEnd(node.name, code, signal);
    });
  }

  /** A node that crashed is reported and written down; the others go on. */
  #onEnd(name: string, code: number | null, signal: string | null): void {
    if (this.#stopping) return;
    const end = { code, signal, at: new Date().toISOString() };
    this.#nodes = this.#nodes.map(node => (node.name === name ? { ...node, end } : node));
    this.#write();
    const how = signal === null ? (code === null ? '' : ` with code ${code}`) : ` by ${signal}`;
    const log = this.#nodes.find(node => node.name === name)?.log;
    this.#options.say(`${name} ended by itself${how}; the others go on. Its log: ${log}`);
  }

  #state(): NetworkState {
    return {
      supervisor: identityOf(process.pid) ?? { pid: process.pid, started: '' },
      startedAt: this.#startedAt,
      ready: this.#ready,
      nodes: this.#nodes,
      authorities: this.#authorities,
      socks: this.#socks,
      control: this.#control,
      controlPort: this.#controlPort,
      lab: this.#lab,
      chain: this.#chain,
      broker: this.#broker,
    };
  }

  #write(): void {
    if (!this.#stopping) writeNetworkState(this.#options.dir, this.#state());
  }

  network(): Network {
    const self = this;
    return {
      get state() {
        return self.#state();
      },
      funds: this.#funds,
      chain: this.#chain,
      add: relay => this.add(relay),
      stop: () => this.stop(),
    };
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const stage of this.#stages.reverse())
      await Promise.all(stage.map(stop => stop().catch(error => this.#options.say(String(error)))));
    removeNetworkState(this.#options.dir);
  }
}

/** Of how many relays a relay or client of ours says that it knows, last. @param from bytes of its log are of earlier starts. */
function knownByLog(log: string, from: number | undefined): number {
  const text = readFileSync(log).subarray(from).toString();
  const said = [...text.matchAll(/"relays":(\d+),"event":"network( known|-view)"/g)].at(-1);
  return Number(said?.[1] ?? 0);
}

/** All that they come to, once all of them have: none is still starting when others are stopped for one that failed. */
async function allOf<T>(starting: readonly Promise<T>[]): Promise<T[]> {
  const started = await Promise.allSettled(starting);
  return started.map(each => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}
