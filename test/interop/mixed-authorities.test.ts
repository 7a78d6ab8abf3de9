import { appendFileSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LabServer, startLabServer } from '../../scripts/lab-server.ts';
import { parseNetFile, relaysOf } from '../../scripts/net-file.ts';
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
import { toHex } from '../../src/base/bytes.ts';
import { type Consensus, parseConsensus } from '../../src/directory/consensus.ts';
import type { ConsensusFlavor } from '../../src/directory/consensus-entry.ts';
import { plainMethod, pricedMethod } from '../../src/directory/consensus-method.ts';
import { signedText } from '../../src/directory/status-document.ts';
import { parseVote, type Vote } from '../../src/directory/vote.ts';
import { until } from '../lab-network.fixture.ts';
import { hasTor, scheduleLines, Tor, TorClient, torAuthorityLines } from './c-tor.fixture.ts';
import './interop-table.ts';
import { transfer } from './transfers.fixture.ts';

const timeoutMs = 240_000;
const link = '3-5';
const bytes = 1_000_000;
const plan = parseNetFile(
  'test',
  `
authorities: 2
relays:
  - {count: 1, flags: [guard]}
  - {count: 1, impl: tor}
  - {count: 1, exit: true}
pay: {scheme: none}
link_protocols: ${link}
`,
);
const relays = relaysOf(plan);
const path = relays.map(({ nickname }) => nickname);

describe.skipIf(!hasTor())('two authorities of ours and one of C tor', () => {
  let dir: string;
  let lab: LabServer;
  let torAuthority: Tor;
  /** Where each authority's directory port is, by nickname. */
  const dirPorts = new Map<string, string>();
  const trusted: string[] = [];
  const running: { stop(): Promise<void> }[] = [];

  const folder = (name: string): string => {
    const made = join(dir, name);
    mkdirSync(made, { recursive: true, mode: 0o700 });
    return made;
  };
  const labAddress = (): string => `127.0.0.1:${lab.port}`;
  /** What all relays and clients are told. */
  const shared = () => ({
    authorities: trusted,
    exitTo: [labAddress()],
    chain: { rpcUrl: '', cookieFile: '' },
    plan,
  });
  async function start(command: ConfiguredNode): Promise<NodeProcess> {
    const node = await startNode(command);
    running.push(node);
    return node;
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'naulon-mixed-'));
    lab = await startLabServer();
    const schedule = scheduleLines(20, 4);
    const torDir = folder('torauth');
    const tor = await torAuthorityLines(torDir, schedule);
    const ours = ['auth1', 'auth2'].map(nickname => writeAuthority({ dir: folder(nickname), nickname }));
    trusted.push(tor.trusted);
    for (const command of ours) {
      // Once alone, to learn who it is.
      const node = await startNode(command);
      keepPorts(command.torrc, command.listensOf(node.readyLine));
      dirPorts.set(command.name, command.listensOf(node.readyLine).dir);
      trusted.push(authorityLine(node.readyLine));
      await node.stop();
    }
    dirPorts.set('torauth', / (127\.0\.0\.1:\d+) /.exec(tor.trusted)?.[1] ?? '');
    for (const { torrc } of ours) {
      appendFileSync(torrc, `${schedule.join('\n')}\n`);
      addAuthorities(torrc, trusted);
    }
    const lines = [...tor.lines, ...trusted.slice(1).map(line => `DirAuthority ${line}`)];
    const ready = /Opened OR listener connection \(ready\)/;
    torAuthority = await Tor.start({ dir: torDir, name: 'torauth', lines, ready });
    running.push(torAuthority);
    await Promise.all(ours.map(start));
    await Promise.all(
      relays.map(relay => {
        const node = { ...relay, ...shared(), dir: folder(relay.nickname) };
        return start(relay.impl === 'tor' ? writeTorRelay(node) : writeRelay(node));
      }),
    );
  }, timeoutMs);
  afterAll(async () => {
    await Promise.all(running.map(node => node.stop()));
    await lab?.close();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }, timeoutMs);

  async function consensusAt(name: string, flavor: ConsensusFlavor): Promise<Consensus | undefined> {
    const document = flavor === 'ns' ? 'consensus' : 'consensus-microdesc';
    const answer = await fetch(`http://${dirPorts.get(name)}/tor/status-vote/current/${document}`);
    const parsed = parseConsensus(await answer.text());
    return parsed.ok ? parsed.value : undefined;
  }

  /** An authority's own vote on the consensus that it serves. */
  async function voteOf(name: string): Promise<Vote> {
    const answer = await fetch(`http://${dirPorts.get(name)}/tor/status-vote/current/authority`);
    const parsed = parseVote(await answer.text());
    if (!parsed.ok) throw new Error(`${name}: ${parsed.fault.code} ${parsed.fault.detail}`);
    return parsed.value;
  }

  /** What each of these authorities serves, once they all serve one consensus with all relays that all of them signed. */
  async function agreed(names: readonly string[], flavor: ConsensusFlavor): Promise<Consensus[]> {
    let found: Consensus[] = [];
    await until(
      async () => {
        const served = await Promise.all(names.map(name => consensusAt(name, flavor)));
        found = served.filter(each => each !== undefined);
        return (
          found.length === names.length &&
          new Set(served.map(each => each?.validAfterMs)).size === 1 &&
          found.every(each => each.signatures.length === names.length) &&
          found.every(each => path.every(nickname => each.relays.some(relay => relay.nickname === nickname)))
        );
      },
      `${names} have signed one consensus`,
      120_000,
    );
    return found;
  }

  const all = ['auth1', 'auth2', 'torauth'];

  it.for(['ns', 'microdesc'] as const)(
    'sign the same bytes: flavour %s',
    { timeout: timeoutMs },
    async (flavor, { task }) => {
      task.meta.interop = { scenario: `C tor and ours vote together, ${flavor}`, link, path: '' };
      const [first, ...others] = await agreed(all, flavor);
      for (const other of others) expect(signedText(other.text)).toBe(signedText(first.text));
      expect(first.method).toBe(plainMethod);
      expect(first.authorities.map(({ nickname }) => nickname).sort()).toEqual(all);
    },
  );

  it('make the same microdescriptors', { timeout: timeoutMs }, async ({ task }) => {
    task.meta.interop = { scenario: 'C tor and ours make microdescriptors', link, path: '' };
    const votes = await Promise.all(all.map(voteOf));
    const [first, ...others] = votes.map(({ relays }) =>
      relays.map(({ nickname, microdescriptorDigests }) => [
        nickname,
        toHex(microdescriptorDigests.get(plainMethod)!),
      ]),
    );
    expect(first.map(([nickname]) => nickname)).toEqual(expect.arrayContaining(path));
    for (const other of others) expect(other).toEqual(first);
    const told = torAuthority.warnings.filter(line => /vote|signature|digest|certificate from/i.test(line));
    expect(told.filter(line => !/V3AuthVotingInterval/.test(line))).toEqual([]);
  });

  it('are believed by a C tor client', { timeout: timeoutMs }, async ({ task }) => {
    const told = { scenario: 'C tor client, authorities of both', link, path: path.join(' > ') };
    task.meta.interop = told;
    const client = await TorClient.start(join(dir, 'torclient'), trusted);
    running.push(client);
    await until(async () => {
      const listed = (await client.control.ask('GETINFO ns/all')).join('\n');
      return path.every(nickname => listed.includes(`\nr ${nickname} `));
    }, 'the client knows all relays');
    const circuit = await client.extend(path);
    const got = await client.over(circuit, user => transfer(client.socks, labAddress(), bytes, user));
    task.meta.interop = { ...told, bytes: got };
  });

  it('are believed by our client', { timeout: timeoutMs }, async ({ task }) => {
    const told = { scenario: 'our client, authorities of both', link, path: path.join(' > ') };
    task.meta.interop = told;
    const command = writeClient({ ...shared(), dir: folder('client'), socks: 'auto' });
    const client = await start(command);
    const { socks } = command.listensOf(client.readyLine);
    task.meta.interop = { ...told, bytes: await transfer(socks, labAddress(), bytes, 'mixed') };
  });

  it('go on without that of C tor', { timeout: timeoutMs }, async ({ task }) => {
    task.meta.interop = { scenario: 'ours vote on without C tor', link, path: '' };
    await torAuthority.stop();
    const [first, second] = await agreed(['auth1', 'auth2'], 'ns');
    expect(second.text).toBe(first.text);
    expect(first.method).toBe(pricedMethod);
  });
});
