import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labUrl } from './lab-server.ts';
import { runNaulon } from './naulon.fixture.ts';
import { type NetworkState, readNetworkState } from './network-state.ts';
import { processesNaming } from './processes.fixture.ts';
import { seededSha256 } from './seeded-bytes.ts';

const timeoutMs = 120_000;
let root: string;
let dir: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-up-test-'));
  dir = join(root, 'net');
});
afterAll(async () => {
  await naulon('down');
  rmSync(root, { recursive: true, force: true });
});

const naulon = (...args: string[]) => runNaulon([...args, '--data-dir', dir]);
const state = () => readNetworkState(dir) as NetworkState;

describe('a network of the command line', () => {
  it(
    'comes up, and stays when the command is over',
    async () => {
      const { code, out, err } = await naulon('up', '-d', '--relays', '4', '--json');
      expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
      expect(JSON.parse(out)).toMatchObject({ socks: state().socks, control: state().control });
      const status = await naulon('status', '--json');
      expect(status.code).toBe(0);
      const { nodes } = JSON.parse(status.out);
      expect(nodes.map((node: { state: string }) => node.state)).toEqual(Array(7).fill('running'));
      expect(await naulon('up')).toMatchObject({ code: 2 });
    },
    timeoutMs,
  );

  it(
    'carries a file over a chosen path with a window of one’s own',
    async () => {
      const file = { seed: 'get', bytes: 12_000_000 };
      const output = join(root, 'got');
      const path = 'guard1,middle1,exit1';
      const args = ['--path', path, '--window', '1024', '-o', output, '--json'];
      const { code, out, err } = await naulon('get', labUrl(state().lab, file), ...args);
      expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
      const { circuit, payments } = JSON.parse(out);
      expect(circuit.fault.code).toBe('CIRCUIT_CLOSED');
      expect(circuit.hops.map(({ relay }: { relay: string }) => relay).join()).toBe(path);
      // The first payment must be worth claiming and buys some 13,000 cells; the windows come after it.
      expect(payments).toBeGreaterThan(3 * 9);
      const sha256 = createHash('sha256').update(readFileSync(output)).digest('hex');
      expect(sha256).toBe(await seededSha256(file));
    },
    timeoutMs,
  );

  it(
    'writes into a pipe that is there, and leaves it one',
    async () => {
      const file = { seed: 'pipe', bytes: 100_000 };
      const pipe = join(root, 'pipe');
      execFileSync('mkfifo', [pipe]);
      const [got, read] = await Promise.all([
        naulon('get', labUrl(state().lab, file), '-o', pipe),
        readFile(pipe),
      ]);
      expect(got.code).toBe(0);
      expect(createHash('sha256').update(read).digest('hex')).toBe(await seededSha256(file));
      expect(statSync(pipe).isFIFO()).toBe(true);
    },
    timeoutMs,
  );

  it(
    'is verified through every relay',
    async () => {
      const { code, out } = await naulon('verify', '--size', '200000', '--json');
      const { ok, circuits } = JSON.parse(out);
      expect({ code, ok }).toEqual({ code: 0, ok: true });
      const used = new Set(circuits.flatMap(({ path }: { path: string[] }) => path));
      expect([...used].sort()).toEqual(['exit1', 'guard1', 'guard2', 'middle1']);
    },
    timeoutMs,
  );

  it(
    'survives and reports a relay that crashed',
    async () => {
      const { process: crashed } = state().nodes.find(({ name }) => name === 'guard2') ?? {};
      process.kill(crashed?.pid ?? 0, 'SIGKILL');
      while (state().nodes.every(({ end }) => end === undefined)) await new Promise(setImmediate);
      const status = await naulon('status');
      expect(status.code).toBe(1);
      expect(status.out).toMatch(/guard2 .*crashed \(SIGKILL\)/);
      const url = labUrl(state().lab, { seed: 'after', bytes: 10_000 });
      const got = await naulon('get', url, '--path', 'guard1,middle1,exit1', '-o', join(root, 'after'));
      expect(got.code).toBe(0);
      expect((await naulon('verify', '--size', '1000')).code).toBe(1);
    },
    timeoutMs,
  );

  it(
    'says how to have back a client that crashed',
    async () => {
      process.kill(state().nodes.find(({ role }) => role === 'client')?.process.pid ?? 0, 'SIGKILL');
      while (state().nodes.every(({ role, end }) => role !== 'client' || end === undefined))
        await new Promise(setImmediate);
      for (const args of [['wallet', 'balance'], ['verify'], ['get', 'http://127.0.0.1/']]) {
        const { code, err } = await naulon(...args);
        expect({ code, err }).toMatchObject({ code: 3, err: expect.stringContaining('naulon down') });
      }
    },
    timeoutMs,
  );

  it(
    'goes down whole and keeps its data',
    async () => {
      expect(await naulon('down')).toMatchObject({ code: 0 });
      expect(processesNaming(dir)).toEqual([]);
      expect(existsSync(join(dir, 'client'))).toBe(true);
      expect(await naulon('status')).toMatchObject({ code: 3 });
    },
    timeoutMs,
  );

  it(
    'comes up again with the relays that were added, unless their folder is gone',
    async () => {
      expect(await naulon('up', '-d')).toMatchObject({ code: 0 });
      for (const [nickname, price] of [
        ['kept', '0'],
        ['gone', '2 msat/cell'],
      ]) {
        const added = await naulon('add', 'relay', '--exit', '--nickname', nickname, '--price', price);
        expect(added).toMatchObject({ code: 0 });
      }
      const identity = readFileSync(join(dir, 'kept', 'keys.json'), 'utf8');
      await naulon('down');
      rmSync(join(dir, 'gone'), { recursive: true });
      expect(await naulon('up', '-d')).toMatchObject({ code: 0 });
      const relays = state().nodes.filter(({ role }) => role === 'relay');
      expect(relays.map(({ name }) => name).sort()).toEqual(['exit1', 'guard1', 'kept', 'middle1']);
      expect(relays.find(({ name }) => name === 'kept')).toMatchObject({
        exit: true,
        price: '0',
      });
      expect(readFileSync(join(dir, 'kept', 'keys.json'), 'utf8')).toBe(identity);
      await naulon('down');
    },
    timeoutMs,
  );
});
