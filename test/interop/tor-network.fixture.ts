import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../regtest/bitcoind.ts';
import { type LabServer, startLabServer } from '../../scripts/lab-server.ts';
import { exitLines } from '../../scripts/network-config.ts';
import { type NodeProcess, startNode } from '../../scripts/node-process.ts';
import { until } from '../lab-network.fixture.ts';
import { Tor, TorClient, torAuthorityLines } from './c-tor.fixture.ts';

/** A network of C tor alone: one authority and three relays, to which nodes of ours are added. */
export class TorNetwork {
  readonly dir: string;
  /** Its DirAuthority line. */
  readonly trusted: string;
  readonly lab: LabServer;
  /** Who must know all relays: the authority, and the exit, which serves no relay that it does not know. */
  readonly #knowers: Tor[];
  readonly #stops: (() => Promise<void>)[] = [];

  private constructor(dir: string, trusted: string, lab: LabServer, authority: Tor) {
    this.dir = dir;
    this.trusted = trusted;
    this.lab = lab;
    this.#knowers = [authority];
  }

  static async start(): Promise<TorNetwork> {
    const dir = await mkdtemp(join(tmpdir(), 'naulon-tor-'));
    const lab = await startLabServer();
    const { trusted, lines } = await torAuthorityLines(join(dir, 'auth'));
    const ready = /Opened OR listener connection \(ready\)/;
    const authority = await Tor.start({ dir: join(dir, 'auth'), name: 'torauth', lines, ready });
    const network = new TorNetwork(dir, trusted, lab, authority);
    try {
      await Promise.all([network.#relay('tor1'), network.#relay('tor2'), network.#relay('torexit', true)]);
      return network;
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  async #relay(name: string, exit = false): Promise<void> {
    const lines = [
      'TestingTorNetwork 1',
      `Nickname ${name}`,
      'Address 127.0.0.1',
      `ORPort 127.0.0.1:${await freePort()}`,
      'SocksPort 0',
      'ContactInfo none',
      'AssumeReachable 1',
      `DirAuthority ${this.trusted}`,
      ...(exit ? exitLines([`127.0.0.1:${this.lab.port}`]) : ['ExitRelay 0']),
    ];
    const ready = /Opened OR listener connection \(ready\)/;
    const relay = await Tor.start({ dir: join(this.dir, name), name, lines, ready });
    this.#stops.push(() => relay.stop());
    if (exit) this.#knowers.push(relay);
  }

  /** One of our nodes, in its folder: `args` are the program's name and options. */
  async add(name: string, args: readonly string[]): Promise<NodeProcess> {
    const node = await startNode({
      name,
      args,
      log: join(this.dir, name, 'log'),
      readyLine: /"event":"ready"/,
      readyMsMax: 120_000,
    });
    this.#stops.push(() => node.stop());
    return node;
  }

  /** A C tor client of it. */
  async client(): Promise<TorClient> {
    const client = await TorClient.start(join(this.dir, 'torclient'), [this.trusted]);
    this.#stops.push(() => client.stop());
    return client;
  }

  /** Waits until the consensus lists all of these relays, at the authority and at the exit. */
  async lists(...nicknames: readonly string[]): Promise<void> {
    for (const tor of this.#knowers) {
      const control = await tor.control();
      await until(
        async () => {
          const listed = (await control.ask('GETINFO ns/all')).join('\n');
          return nicknames.every(name => new RegExp(`^r ${name} `, 'm').test(listed));
        },
        `the consensus lists ${nicknames.join(', ')}`,
        120_000,
      );
      control.close();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#stops.map(stop => stop()));
    await this.#knowers[0].stop();
    await this.lab.close();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
