import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cachedBitcoinds } from './bitcoind-cache.ts';
import { atLeastFloor, compareVersions } from './bitcoind-program.ts';
import type { TarballTable } from './bitcoind-tarball.ts';
import { mirrorsAmong } from './debian-closure.ts';
import { type FindStep, findBitcoind } from './find-bitcoind.ts';

const root = mkdtempSync(join(tmpdir(), 'naulon-find-test-'));
let home: string;
let steps: FindStep[];
let server: Server;
let endpoint: string;
let requests: string[] = [];
let tarball: string;
let table: TarballTable;

/** A stand-in that says its version as bitcoind does. */
function fakeBitcoind(file: string, version: string): string {
  writeFileSync(file, `#!/bin/sh\necho "Bitcoin Core daemon version v${version}"\n`);
  chmodSync(file, 0o755);
  return file;
}

function packTarball(version: string): string {
  const folder = join(root, `bitcoin-${version}`);
  mkdirSync(join(folder, 'bin'), { recursive: true });
  fakeBitcoind(join(folder, 'bin', 'bitcoind'), version);
  const file = join(root, `${version}.tar.gz`);
  execFileSync('tar', ['-czf', file, '-C', root, `bitcoin-${version}`]);
  return file;
}

function find(env: Record<string, string> = {}, bitcoind?: string) {
  return findBitcoind({
    bitcoind,
    env: { PATH: '', XDG_CACHE_HOME: home, ...env },
    say: step => steps.push(step),
    checksums: table,
    debian: false,
  });
}

beforeAll(async () => {
  tarball = packTarball('29.9.0');
  const sha256 = createHash('sha256').update(readFileSync(tarball)).digest('hex');
  table = { version: '29.9.0', sha256: { 'bitcoin-29.9.0-some-platform.tar.gz': sha256 } };
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (request.url?.startsWith('/bin/bitcoin-core-29.9.0/bitcoin-29.9.0-'))
      response.end(readFileSync(tarball));
    else response.writeHead(404).end();
  });
  await new Promise<void>(ready => server.listen(0, '127.0.0.1', ready));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/bin`;
});

afterAll(() => {
  server.close();
  rmSync(root, { recursive: true, force: true });
});

beforeEach(() => {
  home = mkdtempSync(join(root, 'cache-'));
  steps = [];
  requests = [];
});

const cacheNames = () => readdirSync(join(home, 'naulon', 'bitcoind')).filter(name => !name.startsWith('.w'));

describe('the six ways to a bitcoind', () => {
  it('takes the one asked for by name', async () => {
    const command = fakeBitcoind(join(home, 'mine'), '30.1.0');
    expect(await find({}, command)).toMatchObject({ command, args: [], version: '30.1.0', way: 'option' });
    expect(await find({ NAULON_BITCOIND: command })).toMatchObject({ way: 'option' });
    expect(steps.map(({ step }) => step)).toEqual([1, 1]);
  });

  it('never goes on past one asked for by name that cannot be used', async () => {
    await expect(find({}, join(home, 'absent'))).rejects.toMatchObject({
      code: 'BITCOIND_UNUSABLE',
      exitCode: 3,
    });
    const old = fakeBitcoind(join(home, 'old'), '27.2.0');
    await expect(find({ NAULON_BITCOIND: old })).rejects.toMatchObject({ code: 'BITCOIND_OLD', exitCode: 3 });
  });

  it('looks through PATH for one that is new enough', async () => {
    const [low, high] = [join(home, 'low'), join(home, 'high')];
    mkdirSync(low);
    mkdirSync(high);
    fakeBitcoind(join(low, 'bitcoind'), '25.0.0');
    const command = fakeBitcoind(join(high, 'bitcoind'), '28.0.0');
    expect(await find({ PATH: `${low}:${high}` })).toMatchObject({ command, way: 'path' });
    expect(steps.map(({ text }) => text).join('\n')).toContain('older than 28.0');
  });

  it('gets a tarball below an endpoint, checks it, and finds it in the cache the next time', async () => {
    const env = { NAULON_BITCOIND_ENDPOINT: endpoint };
    expect(await find(env)).toMatchObject({ version: '29.9.0', way: 'tarball' });
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    const again = await find(env);
    expect(again).toMatchObject({ version: '29.9.0', way: 'cache' });
    expect(again.command).toBe(join(home, 'naulon', 'bitcoind', '29.9.0', 'bin', 'bitcoind'));
    expect(requests).toHaveLength(1);
    expect(cacheNames()).toEqual(['29.9.0']);
  });

  it('gets a tarball from a file or a URL of its own', async () => {
    expect(await find({ NAULON_BITCOIND_TARBALL: tarball })).toMatchObject({ way: 'tarball' });
    rmSync(home, { recursive: true });
    mkdirSync(home);
    const url = `${endpoint}/bitcoin-core-29.9.0/bitcoin-29.9.0-by-hand.tar.gz`;
    expect(await find({ NAULON_BITCOIND_TARBALL: url })).toMatchObject({ way: 'tarball' });
  });

  it('refuses a tarball whose checksum nobody committed, and leaves nothing behind', async () => {
    const other = packTarball('29.9.1');
    await expect(find({ NAULON_BITCOIND_TARBALL: other })).rejects.toMatchObject({
      code: 'BITCOIND_TARBALL',
      exitCode: 3,
      message: expect.stringContaining('none of regtest/bitcoind-checksums.json'),
    });
    expect(cacheNames()).toEqual([]);
  });

  it('refuses an endpoint that has none', async () => {
    await expect(find({ NAULON_BITCOIND_ENDPOINT: `${endpoint}/nowhere` })).rejects.toMatchObject({
      code: 'BITCOIND_TARBALL',
      message: expect.stringContaining('404'),
    });
    expect(cacheNames()).toEqual([]);
  });

  it('tells every step and then which ways are left, when there is none', async () => {
    await expect(find()).rejects.toMatchObject({ code: 'BITCOIND_NONE', exitCode: 3 });
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(steps[3].text).toMatch(/^skipped: /);
  });
});

describe('the cache', () => {
  it('never takes a half-unpacked bitcoind for a whole one', async () => {
    const half = join(home, 'naulon', 'bitcoind', '31.0.0', 'bin');
    mkdirSync(half, { recursive: true });
    fakeBitcoind(join(half, 'bitcoind'), '31.0.0');
    await expect(find()).rejects.toMatchObject({ code: 'BITCOIND_NONE' });
  });

  it('is filled once by many who come at the same time', async () => {
    const env = { NAULON_BITCOIND_ENDPOINT: endpoint };
    const found = await Promise.all(Array.from({ length: 6 }, () => find(env)));
    expect(new Set(found.map(({ command }) => command)).size).toBe(1);
    expect(found.filter(({ way }) => way === 'tarball')).toHaveLength(1);
    expect(requests).toHaveLength(1);
    expect(cacheNames()).toEqual(['29.9.0']);
  });

  it('takes over the lock and clears the leavings of a process that died', async () => {
    const cache = join(home, 'naulon', 'bitcoind');
    const dead = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim();
    mkdirSync(join(cache, `.unpack-${dead}-abc`), { recursive: true });
    writeFileSync(join(cache, 'lock'), JSON.stringify({ pid: Number(dead), started: '1' }));
    expect(await find({ NAULON_BITCOIND_ENDPOINT: endpoint })).toMatchObject({ way: 'tarball' });
    expect(cacheNames()).toEqual(['29.9.0']);
  });

  it('lists the newest first', async () => {
    const cache = join(home, 'naulon', 'bitcoind');
    for (const version of ['28.1.0', '30.0.0', '29.4.3.knots20260508']) {
      mkdirSync(join(cache, version), { recursive: true });
      const manifest = { version, command: '{here}/bin/bitcoind', args: [] };
      writeFileSync(join(cache, version, 'launch.json'), JSON.stringify(manifest));
    }
    const versions = (await cachedBitcoinds(cache)).map(({ version }) => version);
    expect(versions).toEqual(['30.0.0', '29.4.3.knots20260508', '28.1.0']);
  });
});

it('compares versions by their numbers', () => {
  expect(compareVersions('28.10', '28.9')).toBeGreaterThan(0);
  expect(compareVersions('29.4.3.knots20260508', '29.4.3')).toBe(0);
  expect(atLeastFloor('27.99')).toBe(false);
  expect(atLeastFloor('28.0')).toBe(true);
});

it("picks Debian's main archives of apt's sources, own release first, without the security ones", () => {
  const lines = [
    'http://deb.example/debian-security/\tbookworm-security\tmain\tPackages',
    'http://deb.example/debian/\tsid\tmain\tPackages',
    'http://other.example/debian/\tbookworm\tmain\tPackages',
    'http://other.example/debian/\tbookworm\tmain\tTranslations',
    'http://tools.example/apt/\tnodistro\tmain\tPackages',
    '',
  ];
  expect(mirrorsAmong(lines.join('\n'), 'bookworm')).toEqual([
    'http://other.example/debian/',
    'http://deb.example/debian/',
  ]);
});
