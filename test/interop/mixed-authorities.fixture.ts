import { appendFileSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabServer, startLabServer } from '../../scripts/lab-server.ts';
import { type NetPlan, type PlannedRelay, relaysOf } from '../../scripts/net-file.ts';
import {
  addAuthorities,
  authorityLine,
  type ConfiguredNode,
  keepPorts,
  writeAuthority,
  writeClient,
  writeRelay,
} from '../../scripts/network-config.ts';
import { type NodeProcess, startNode } from '../../scripts/node-process.ts';
import { writeTorRelay } from '../../scripts/tor-node.ts';
import { type Consensus, parseConsensus } from '../../src/directory/consensus.ts';
import type { ConsensusFlavor } from '../../src/directory/consensus-entry.ts';
import { parseVote, type Vote } from '../../src/directory/vote.ts';
import { until } from '../lab-network.fixture.ts';
import { scheduleLines, Tor, TorClient, torAuthorityLines } from './c-tor.fixture.ts';

const agreedMsMax = 120_000;

/** A network whose authorities are of both kinds, with the relays of a plan; nothing in it costs anything. */
export class MixedAuthorities {
  readonly dir: string;
  readonly plan: NetPlan;
  readonly relays: readonly PlannedRelay[];
  readonly lab: LabServer;
  /** The DirAuthority values. */
  readonly trusted: string[] = [];
  readonly torAuthorities: Tor[] = [];
  /** Where each authority's directory port is, by nickname. */
  readonly #dirPorts = new Map<string, string>();
  readonly #running: { stop(): Promise<void> }[] = [];

  private constructor(dir: string, plan: NetPlan, lab: LabServer) {
    this.dir = dir;
    this.plan = plan;
    this.relays = relaysOf(plan);
    this.lab = lab;
  }

  /** @param torNames of C tor's authorities; as many of ours as the plan says are auth1, auth2… @param torLines of their torrc. */
  static async start(
    plan: NetPlan,
    torNames: readonly string[],
    torLines: readonly string[] = [],
  ): Promise<MixedAuthorities> {
    const dir = await mkdtemp(join(tmpdir(), 'naulon-mixed-'));
    const network = new MixedAuthorities(dir, plan, await startLabServer());
    try {
      await network.#startAuthorities(torNames, torLines);
      await Promise.all(network.relays.map(relay => network.#startRelay(relay)));
      return network;
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  async #startAuthorities(torNames: readonly string[], torLines: readonly string[]): Promise<void> {
    const schedule = scheduleLines(20, 4);
    const theirs = [];
    for (const name of torNames) {
      const { trusted, lines } = await torAuthorityLines(this.#folder(name), { name, schedule });
      theirs.push({ name, lines: [...lines, ...torLines], trusted });
      this.trusted.push(trusted);
      this.#dirPorts.set(name, / (127\.0\.0\.1:\d+) /.exec(trusted)?.[1] ?? '');
    }
    const ours = Array.from({ length: this.plan.authorities }, (_, index) => {
      const nickname = `auth${index + 1}`;
      return writeAuthority({ dir: this.#folder(nickname), nickname });
    });
    for (const command of ours) {
      // Once alone, to learn who it is.
      const node = await startNode(command);
      const listens = command.listensOf(node.readyLine);
      keepPorts(command.torrc, listens);
      this.#dirPorts.set(command.name, listens.dir);
      this.trusted.push(authorityLine(node.readyLine));
      await node.stop();
    }
    for (const { torrc } of ours) {
      appendFileSync(torrc, `${schedule.join('\n')}\n`);
      addAuthorities(torrc, this.trusted);
    }
    const ready = /Opened OR listener connection \(ready\)/;
    for (const { name, lines, trusted } of theirs) {
      const others = this.trusted.filter(each => each !== trusted);
      const all = [...lines, ...others.map(each => `DirAuthority ${each}`)];
      const tor = await Tor.start({ dir: this.#folder(name), name, lines: all, ready });
      this.torAuthorities.push(tor);
      this.#running.push(tor);
    }
    await Promise.all(ours.map(command => this.#start(command)));
  }

  #startRelay(relay: PlannedRelay): Promise<NodeProcess> {
    const node = { ...relay, ...this.#shared(), dir: this.#folder(relay.nickname) };
    return this.#start(relay.impl === 'tor' ? writeTorRelay(node) : writeRelay(node));
  }

  /** What all relays and clients are told. */
  #shared() {
    return {
      authorities: this.trusted,
      exitTo: [this.labAddress],
      chain: { rpcUrl: '', cookieFile: '' },
      plan: this.plan,
    };
  }

  get labAddress(): string {
    return `127.0.0.1:${this.lab.port}`;
  }

  #folder(name: string): string {
    const made = join(this.dir, name);
    mkdirSync(made, { recursive: true, mode: 0o700 });
    return made;
  }

  async #start(command: ConfiguredNode): Promise<NodeProcess> {
    const node = await startNode(command);
    this.#running.push(node);
    return node;
  }

  /** A client of ours; where its SOCKS proxy is. */
  async client(): Promise<string> {
    const command = writeClient({ ...this.#shared(), dir: this.#folder('client'), socks: 'auto' });
    const node = await this.#start(command);
    return command.listensOf(node.readyLine).socks;
  }

  async torClient(): Promise<TorClient> {
    const client = await TorClient.start(join(this.dir, 'torclient'), this.trusted);
    this.#running.push(client);
    return client;
  }

  async #get(name: string, path: string): Promise<string> {
    return (await fetch(`http://${this.#dirPorts.get(name)}/tor/status-vote/current/${path}`)).text();
  }

  async consensusAt(name: string, flavor: ConsensusFlavor): Promise<Consensus | undefined> {
    const parsed = parseConsensus(
      await this.#get(name, flavor === 'ns' ? 'consensus' : 'consensus-microdesc'),
    );
    return parsed.ok ? parsed.value : undefined;
  }

  /** An authority's own vote on the consensus that it serves. */
  async voteOf(name: string): Promise<Vote> {
    const parsed = parseVote(await this.#get(name, 'authority'));
    if (!parsed.ok) throw new Error(`${name}: ${parsed.fault.code} ${parsed.fault.detail}`);
    return parsed.value;
  }

  /** What these authorities serve, once it is one consensus with all relays that they, and no others, made and signed. */
  async agreed(names: readonly string[], flavor: ConsensusFlavor): Promise<Consensus[]> {
    let found: Consensus[] = [];
    await until(
      async () => {
        const served = await Promise.all(names.map(name => this.consensusAt(name, flavor)));
        found = served.filter(each => each !== undefined);
        return (
          found.length === names.length &&
          new Set(found.map(each => each.validAfterMs)).size === 1 &&
          found.every(each => each.signatures.length === names.length) &&
          found.every(each => votersOf(each).join() === names.join()) &&
          found.every(each => this.relays.every(relay => lists(each, relay)))
        );
      },
      `${names} have signed one consensus`,
      agreedMsMax,
    );
    return found;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map(node => node.stop()));
    await this.lab.close();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

function votersOf({ authorities }: Consensus): string[] {
  return authorities.map(({ nickname }) => nickname).sort();
}

function lists(consensus: Consensus, { nickname }: PlannedRelay): boolean {
  return consensus.relays.some(relay => relay.nickname === nickname);
}
