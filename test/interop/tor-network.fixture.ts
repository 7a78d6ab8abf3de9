import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabServer, startLabServer } from '../../scripts/lab-server.ts';
import { exitLines } from '../../scripts/network-config.ts';
import { type NodeProcess, startNode } from '../../scripts/node-process.ts';
import type { Endpoint } from '../../src/ports.ts';
import { until } from '../lab-network.fixture.ts';
import { Tor, TorClient, torAuthorityLines } from './c-tor.fixture.ts';

/**
 * A network of C tor alone: one authority and three relays, of which `torexit` is an exit, to which nodes of ours are
 * added.
 */
export class TorNetwork {
  readonly dir: string;
  /** Its DirAuthority line. */
  readonly trusted: string;
  readonly lab: LabServer;
  /** Who must know all relays: the authority, and the exit, which serves no relay that it does not know. */
  readonly #knowers: Tor[];
  /** Where its relays listen, by nickname. */
  readonly orPorts = new Map<string, Endpoint>();
  readonly #stops: (() => Promise<void>)[] = [];
  /** HOST:PORT that exits connect to, though it is on this machine. */
  readonly exitTo: readonly string[];

  private constructor(
    dir: string,
    trusted: string,
    lab: LabServer,
    authority: Tor,
    exitTo: readonly string[],
  ) {
    this.dir = dir;
    this.trusted = trusted;
    this.lab = lab;
    this.#knowers = [authority];
    this.exitTo = [`127.0.0.1:${lab.port}`, ...exitTo];
  }

  /** @param exitTo servers beside the lab's that exits connect to, HOST:PORT. */
  static async start(...exitTo: readonly string[]): Promise<TorNetwork> {
    const dir = await mkdtemp(join(tmpdir(), 'naulon-tor-'));
    const lab = await startLabServer();
    const { trusted, lines } = await torAuthorityLines(join(dir, 'auth'));
    const ready = /Opened OR listener connection \(ready\)/;
    const authority = await Tor.start({ dir: join(dir, 'auth'), name: 'torauth', lines, ready });
    const network = new TorNetwork(dir, trusted, lab, authority, exitTo);
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
      'ORPort 127.0.0.1:auto',
      'SocksPort 0',
      'ContactInfo none',
      'AssumeReachable 1',
      `DirAuthority ${this.trusted}`,
      `Log [edge]info file ${this.#streamLog(name)}`,
      ...(exit ? exitLines(this.exitTo) : ['ExitRelay 0']),
    ];
    const ready = /Opened OR listener connection \(ready\)/;
    const relay = await Tor.start({ dir: join(this.dir, name), name, lines, ready });
    this.#stops.push(() => relay.stop());
    const control = await relay.control();
    const [listening] = await control.ask('GETINFO net/listeners/or');
    control.close();
    this.orPorts.set(name, { host: '127.0.0.1', port: Number(/:(\d+)"$/.exec(listening)?.[1]) });
    if (exit) this.#knowers.push(relay);
  }

  /** What a relay of C tor has logged of its streams. */
  streamLog(name: string): string {
    return readFileSync(this.#streamLog(name), 'utf8');
  }

  #streamLog(name: string): string {
    return join(this.dir, name, 'stream-log');
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
