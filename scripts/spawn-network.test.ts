import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRunning } from '../src/node-io/process-identity.ts';
import { planOf } from './net-file.ts';
import { readNetworkState } from './network-state.ts';
import { type Network, NetworkStart } from './spawn-network.ts';

/** Stands in for ./naulon: says that it is ready and knows the network, and stays until it is told to go or its owner is gone. */
const standIn = `
import { readFileSync, writeFileSync } from 'node:fs';
const [, , role, , torrc] = process.argv;
if (readFileSync(torrc, 'utf8').includes('Nickname guard1') && process.env.NAULON_TEST_FAIL) {
  console.error('no such luck');
  process.exit(7);
}
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
console.log(JSON.stringify({ event: 'ready', role, or: '127.0.0.1:4711', socks: ['127.0.0.1:4712'], dirAuthority: 'auth1 orport=1 127.0.0.1:2 ABCD' }));
const knows = relays => console.error(JSON.stringify({ relays, event: role === 'client' ? 'network-view' : 'network known' }));
const late = role === 'client' ? process.env.NAULON_TEST_LATE : undefined;
knows(late === undefined ? 99 : 1);
if (late !== undefined)
  setTimeout(() => {
    writeFileSync(late, '');
    knows(99);
  }, 300);
setInterval(() => {}, 1_000);
`;

let root: string;
let dir: string;
let program: string;
let said: string[];
let network: Network | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-network-test-'));
  dir = join(root, 'net');
  program = join(root, 'stand-in.mjs');
  writeFileSync(program, standIn);
  chmodSync(program, 0o755);
  said = [];
});
afterEach(async () => {
  await network?.stop();
  network = undefined;
  delete process.env.NAULON_TEST_FAIL;
  delete process.env.NAULON_TEST_LATE;
  rmSync(root, { recursive: true, force: true });
});

/** All but the client's coins, for which a stand-in has no wallet. */
async function spawnIt(): Promise<Network> {
  const say = (line: string) => said.push(line);
  const start = new NetworkStart({ dir, plan: planOf(3), program, exitTo: ['127.0.0.1:8080'], say });
  try {
    await start.chain();
    await start.nodes();
    return start.network();
  } catch (error) {
    await start.stop();
    throw error;
  }
}
const settled = async (holds: () => boolean) => {
  while (!holds()) await pause(20);
};

describe('a local network', () => {
  it('runs each node in its own process, written down for its owner alone, and leaves none', async () => {
    network = await spawnIt();
    const state = readNetworkState(dir);
    const nodes = state?.nodes ?? [];
    expect(nodes.map(({ name }) => name).sort()).toEqual([
      'auth1',
      'bitcoind',
      'client',
      'exit1',
      'guard1',
      'middle1',
    ]);
    expect(new Set(nodes.map(node => node.process.pid)).size).toBe(6);
    expect(nodes.every(node => isRunning(node.process))).toBe(true);
    expect(state?.ready).toBe(true);
    expect(statSync(dir).mode & 0o077).toBe(0);
    expect(statSync(join(dir, 'network.json')).mode & 0o077).toBe(0);
    expect(statSync(join(dir, 'guard1', 'pay.yaml')).mode & 0o077).toBe(0);
    const torrc = readFileSync(join(dir, 'exit1', 'torrc'), 'utf8');
    expect(torrc).toContain('ExitPolicy accept 127.0.0.1:8080\n');
    expect(torrc).toContain('DirAuthority auth1 orport=1 127.0.0.1:2 ABCD\n');
    // The ports that were given are kept for a start by hand.
    expect(torrc).toContain('ORPort 127.0.0.1:4711\n');
    expect(network.state.socks).toBe('127.0.0.1:4712');
    await network.stop();
    expect(nodes.some(node => isRunning(node.process))).toBe(false);
    expect(readNetworkState(dir)).toBeUndefined();
    expect(existsSync(join(dir, 'guard1', 'torrc'))).toBe(true);
  });

  it('reports a node that crashed and keeps the others', async () => {
    network = await spawnIt();
    const pidOf = (name: string) => network?.state.nodes.find(node => node.name === name)?.process.pid ?? 0;
    process.kill(pidOf('middle1'), 'SIGKILL');
    await settled(() => said.some(line => /middle1 ended by itself by SIGKILL/.test(line)));
    const nodes = readNetworkState(dir)?.nodes ?? [];
    expect(nodes.find(({ name }) => name === 'middle1')?.end).toMatchObject({ signal: 'SIGKILL' });
    expect(nodes.filter(({ end }) => end === undefined).every(node => isRunning(node.process))).toBe(true);
  });

  it('is up once the client knows all relays, whatever its log says of an earlier start', async () => {
    for (const file of ['first', 'second'].map(name => join(root, name))) {
      process.env.NAULON_TEST_LATE = file;
      const started = await spawnIt();
      expect(existsSync(file)).toBe(true);
      await started.stop();
    }
  });

  it('refuses to run twice in one folder', async () => {
    network = await spawnIt();
    await expect(spawnIt()).rejects.toMatchObject({ code: 'NETWORK_UP', exitCode: 2 });
    expect(network.state.nodes.every(node => isRunning(node.process))).toBe(true);
  });

  it('stops all again when one cannot be started, and tells its last words', async () => {
    process.env.NAULON_TEST_FAIL = '1';
    await expect(spawnIt()).rejects.toMatchObject({
      code: 'NODE_START',
      exitCode: 4,
      message: expect.stringContaining('no such luck'),
    });
    expect(readNetworkState(dir)).toBeUndefined();
  });
});
