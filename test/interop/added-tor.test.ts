import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runNaulon } from '../../scripts/naulon.fixture.ts';
import { readNetworkState } from '../../scripts/network-state.ts';
import { startNode } from '../../scripts/node-process.ts';
import { seededSha256 } from '../../scripts/seeded-bytes.ts';
import { findTor } from '../../scripts/tor-node.ts';
import { hasTor } from './c-tor.fixture.ts';
import './interop-table.ts';
import { transfer } from './transfers.fixture.ts';

const timeoutMs = 180_000;
const link = '3-5';
const bytes = 2_000_000;

describe.skipIf(!hasTor())('C tor in a running network', () => {
  const dir = mkdtempSync(join(tmpdir(), 'naulon-added-'));
  const env = { NAULON_DATA_DIR: join(dir, 'net') };
  const naulon = (...args: string[]) => runNaulon(args, { env });
  const state = () => readNetworkState(env.NAULON_DATA_DIR);

  beforeAll(async () => {
    const net = join(dir, 'net.yaml');
    writeFileSync(
      net,
      'relays: [{count: 2, price: 0 msat/cell}, {exit: true, price: 0 msat/cell}]\nlink_protocols: 3-5\n',
    );
    expect(await naulon('up', '-d', net)).toMatchObject({ code: 0 });
  }, timeoutMs);
  afterAll(async () => {
    await naulon('down');
    rmSync(dir, { recursive: true, force: true });
  }, timeoutMs);

  it('is added as an exit, and serves our client at once', { timeout: timeoutMs }, async ({ task }) => {
    const told = { scenario: 'naulon add tor, naulon get', link, path: 'middle1 > middle2 > tor1' };
    task.meta.interop = { ...told, bytes };
    const added = await naulon('add', 'tor', '--exit', '--json');
    expect(JSON.parse(added.out)).toMatchObject({ name: 'tor1', role: 'relay', impl: 'tor', exit: true });
    const got = join(dir, 'got');
    const url = `http://${state()?.lab}/added/${bytes}`;
    const run = await naulon('get', url, '--path', 'middle1,middle2,tor1', '-o', got);
    expect(run).toMatchObject({ code: 0 });
    const sha256 = createHash('sha256').update(readFileSync(got)).digest('hex');
    expect(sha256).toBe(await seededSha256({ seed: 'added', bytes }));
    const { out } = await naulon('status', '--json');
    expect(JSON.parse(out).nodes.at(-1)).toMatchObject({ name: 'tor1', impl: 'tor', state: 'running' });
  });

  it('is taken there by the torrc that is exported', { timeout: timeoutMs }, async ({ task }) => {
    task.meta.interop = { scenario: 'C tor with naulon export torrc', link, path: 'any', bytes };
    const torrc = join(dir, 'torrc');
    writeFileSync(torrc, (await naulon('export', 'torrc', join(dir, 'tor'))).out);
    const log = join(dir, 'tor.log');
    const args = ['-f', torrc, '__OwningControllerProcess', String(process.pid)];
    const readyLine = /Bootstrapped 100%/;
    const command = { name: 'tor', executable: findTor(), args, log, readyLine, readyMsMax: 90_000 };
    const tor = await startNode(command);
    try {
      const [, port] = /Socks listener listening on port (\d+)/.exec(readFileSync(log, 'utf8')) ?? [];
      const lab = state()?.lab ?? '';
      expect(await transfer(`127.0.0.1:${port}`, lab, bytes, 'exported')).toBe(bytes);
    } finally {
      await tor.stop();
    }
  });

  it('is added beside relays of ours, which may ask a price', { timeout: timeoutMs }, async () => {
    const added = await naulon('add', 'relay', '--price', '2 msat/cell', '--nickname', 'dear', '--json');
    expect(JSON.parse(added.out)).toMatchObject({ name: 'dear', price: '2 msat/cell' });
    const url = `http://${state()?.lab}/dear/1000`;
    const got = await naulon('get', url, '--path', 'dear,middle1,exit1', '-o', join(dir, 'dear'), '--json');
    expect(got).toMatchObject({ code: 0 });
  });

  it.each([
    [['add', 'bridge'], 'there are relay and tor'],
    [['add', 'tor', '--price', '2 msat/cell'], 'C tor takes no payment'],
    [['add', 'relay', '--price', 'much'], '--price much'],
    [['add', 'relay', '--nickname', 'middle1'], 'there is a node middle1 already'],
    [['add', 'relay', '--nickname', '../guard9'], 'is no nickname'],
  ])('is not added by mistake: %j', async (args, why) => {
    const run = await naulon(...args);
    expect({ code: run.code, told: run.err.includes(why), lines: run.err }).toMatchObject({
      code: 2,
      told: true,
    });
  });
});
