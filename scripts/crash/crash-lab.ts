import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CircuitReport } from '../../client/circuit-report.ts';
import { openControl } from '../../client/control-client.ts';
import { connectThrough } from '../../client/socks-connect.ts';
import { findBitcoind } from '../../regtest/find-bitcoind.ts';
import { RunCount } from '../../src/node-io/run-count.ts';
import { type ClientControl, controlOf } from '../client-control.ts';
import { download } from '../download.ts';
import { type LabServer, labUrl, startLabServer } from '../lab-server.ts';
import { untilSeen } from '../money-control.ts';
import { parseNetFile } from '../net-file.ts';
import {
  authorityLine,
  type ConfiguredNode,
  writeAuthority,
  writeClient,
  writeRelay,
} from '../network-config.ts';
import { type NodeProcess, startNode } from '../node-process.ts';
import type { PlantedModule } from '../sim/plants/plant-hooks.ts';
import { CrashChain } from './crash-chain.ts';
import type { Party } from './crash-points.ts';
import { CrashingNode } from './crash-process.ts';
import { MoneyCount, type Purse } from './money-count.ts';

/** Small windows, so that payments are many; a price at which a cell costs about a satoshi. */
const plan = parseNetFile(
  'the crash matrix',
  'relays: [{exit: true, price: 2000000 sat/GiB}]\npay: {window: 64, channel_size: 200000}',
);
const coinSat = 400_000n;
const coinsMin = 4;
const coinsGiven = 12;

export interface CrashLabOptions {
  readonly bitcoind?: string;
  /** A bug in both programs, to see that it is found. */
  readonly plant?: PlantedModule;
  readonly signal?: AbortSignal;
}

/** A relay and a client that can die, on a bitcoind that can; the relays beside them cost nothing and live. */
export class CrashLab {
  readonly dir: string;
  readonly chain: CrashChain;
  readonly relay: CrashingNode;
  readonly client: CrashingNode;
  /** A party has restored a backup, and is believed from then on: whether it finds old records out cannot be tried here. */
  hasRestored = false;
  readonly #server: LabServer;
  readonly #standing: readonly NodeProcess[];
  readonly #control: string;
  #open: ClientControl | undefined;
  #users = 0;
  #formerPurses = 0;

  private constructor(
    parts: Pick<CrashLab, 'dir' | 'chain' | 'relay' | 'client'> & {
      readonly server: LabServer;
      readonly standing: readonly NodeProcess[];
      readonly control: string;
    },
  ) {
    this.dir = parts.dir;
    this.chain = parts.chain;
    this.relay = parts.relay;
    this.client = parts.client;
    this.#server = parts.server;
    this.#standing = parts.standing;
    this.#control = parts.control;
  }

  static async start({ bitcoind, plant, signal }: CrashLabOptions = {}): Promise<CrashLab> {
    const dir = await mkdtemp(join(tmpdir(), 'naulon-crash-'));
    const stops: (() => Promise<void>)[] = [];
    try {
      const program = await findBitcoind({ bitcoind, signal });
      const chain = await CrashChain.start(program, join(dir, 'bitcoind'), dir);
      stops.push(() => chain.stop());
      const server = await startLabServer();
      stops.push(() => server.close());
      const folder = (name: string) => {
        mkdirSync(join(dir, name), { mode: 0o700 });
        return join(dir, name);
      };
      const standing: NodeProcess[] = [];
      stops.push(async () => void (await Promise.all(standing.map(node => node.stop()))));
      const authority = writeAuthority({ dir: folder('authority'), nickname: 'authority' });
      standing.push(await startNode(authority));
      const authorities = [authorityLine(standing[0].readyLine)];
      const exitTo = [`127.0.0.1:${server.port}`];
      const common = { authorities, exitTo, chain: chain.access, plan, impl: 'naulon' as const };
      const free = ['guard', 'middle', 'exit'].map(nickname => {
        return writeRelay({
          ...common,
          dir: folder(nickname),
          nickname,
          exit: nickname === 'exit',
          price: undefined,
        });
      });
      standing.push(...(await Promise.all(free.map(command => startNode(command)))));
      const relay = writeRelay({
        ...common,
        dir: folder('relay'),
        nickname: 'relay',
        exit: true,
        price: plan.relays[0].price,
      });
      const client = writeClient({ ...common, dir: folder('client'), socks: 'auto' });
      const receipts = join(dir, 'receipts');
      writeFileSync(receipts, '');
      const node = (party: Party, command: ConfiguredNode) =>
        new CrashingNode(party, join(dir, party), command, {
          receipts,
          followed: join(dir, `${party}-followed`),
          plant,
        });
      const lab = new CrashLab({
        dir,
        chain,
        relay: node('relay', relay),
        client: node('client', client),
        server,
        standing,
        control: client.control,
      });
      stops.push(() => lab.#stopParties());
      chain.hasBeenFollowed = height => lab.hasFollowed(height);
      await lab.relay.start();
      await lab.client.start();
      return lab;
    } catch (error) {
      for (const stop of stops.reverse()) await stop();
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  node(party: Party): CrashingNode {
    return this[party];
  }

  /** Starts whoever is dead, the relay first: the client looks for one when it starts. */
  async startDead(): Promise<void> {
    if (this.relay.isDead) await this.relay.start();
    if (this.client.isDead) await this.client.start();
  }

  /** Its control socket; a new connection after it was started again. */
  async control(): Promise<ClientControl> {
    if (this.#open === undefined) {
      const opened = await controlOf(this.#control);
      this.#open = opened;
      void this.client.death.then(() => {
        opened.close();
        if (this.#open === opened) this.#open = undefined;
      });
    }
    return this.#open;
  }

  /** What both parties' keys can spend, that of wallets they had before included. */
  purses(): readonly Purse[] {
    const current = [this.relay, this.client].map(({ party, dataDir }) => ({ party, directory: dataDir }));
    const former = Array.from({ length: this.#formerPurses }, (_, at) => join(this.dir, `before-${at}`));
    return [
      ...current.filter(({ directory }) => existsSync(join(directory, 'store'))),
      ...former.map(directory => {
        return { party: readFileSync(join(directory, 'party'), 'utf8') as Party, directory };
      }),
    ];
  }

  count(): Promise<MoneyCount> {
    return MoneyCount.begin(
      () => this.chain.rpc,
      () => this.purses(),
    );
  }

  /** A dead party begins again with an empty store; what it had remains its own. */
  renewPurse({ party, dataDir }: CrashingNode): void {
    const former = join(this.dir, `before-${this.#formerPurses++}`);
    mkdirSync(former, { mode: 0o700 });
    writeFileSync(join(former, 'party'), party);
    renameSync(join(dataDir, 'store'), join(former, 'store'));
    rmSync(new RunCount(dataDir).file, { force: true });
  }

  /** Sees to it that the client has coins in blocks for some contracts. */
  async fund(): Promise<void> {
    const control = await this.control();
    if ((await control.walletSat()) >= coinSat * BigInt(coinsMin)) return;
    const paid: string[] = [];
    for (let coin = 0; coin < coinsGiven; coin++)
      paid.push(await this.chain.funds.faucet(await control.walletAddress(), coinSat));
    await this.chain.mine(1);
    await untilSeen(control.walletCoins, paid);
  }

  /** A circuit of one hop, over the relay that dies, and the user whose streams go there. */
  async openCircuit(): Promise<{ readonly circuit: CircuitReport; readonly user: string }> {
    const user = `user-${++this.#users}`;
    const control = await this.control();
    return { circuit: await control.openCircuit([this.relay.name], user), user };
  }

  /** A channel with that relay that has paid nothing. */
  async openChannel(): Promise<void> {
    const { call, close } = await openControl(this.#control);
    try {
      await call('channel.open', { relay: this.relay.name, capacitySat: 100_000 });
    } finally {
      close();
    }
  }

  async stream(user: string, bytes: number): Promise<void> {
    const [host, port] = ['127.0.0.1', this.#server.port];
    const socket = await connectThrough(
      { socks: this.client.listens.socks, user, password: user },
      host,
      port,
    );
    try {
      await download(socket, labUrl(`${host}:${port}`, { seed: user, bytes }), () => {});
    } finally {
      socket.destroy();
    }
  }

  /** Whoever lives has treated all blocks up to this one. */
  hasFollowed(height: number): boolean {
    return [this.relay, this.client].every(node => node.isDead || node.followedHeight >= height);
  }

  /** How much RECEIPTs have acknowledged to the client so far, in all; msat. */
  receiptedMsat(): bigint {
    const lines = readFileSync(join(this.dir, 'receipts'), 'utf8').split('\n').filter(Boolean);
    return lines.reduce((sum, line) => sum + BigInt(line), 0n);
  }

  /** What was receipted beyond that is no longer promised: whoever restores an old backup knows. */
  forgetReceipts(beyondMsat: bigint): void {
    writeFileSync(join(this.dir, 'receipts'), `${beyondMsat}\n`);
  }

  async #stopParties(): Promise<void> {
    this.#open?.close();
    await this.client.stop();
    await this.relay.stop();
  }

  async stop(): Promise<void> {
    await this.#stopParties();
    await Promise.all(this.#standing.map(node => node.stop()));
    await this.#server.close();
    await this.chain.stop();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
