import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identityOf, isRunning, signalProcess } from '../src/node-io/process-identity.ts';
import { type Bitcoind, startBitcoind } from './bitcoind.ts';
import { bitcoinOf, RpcFault, satoshiOf } from './bitcoind-rpc.ts';
import { type Funds, openFunds } from './funds.ts';

const somebody = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080';

describe('a regtest bitcoind', () => {
  let bitcoind: Bitcoind;
  let funds: Funds;

  beforeAll(async () => {
    bitcoind = await startBitcoind();
    funds = await openFunds(bitcoind);
  });
  afterAll(() => bitcoind.stop());

  it('keeps its cookie to its owner and enforces the limits of version-3 transactions', async () => {
    expect(statSync(bitcoind.cookieFile).mode & 0o077).toBe(0);
    const info = await bitcoind.rpc<{ truc_policy?: string }>('getmempoolinfo');
    expect(info.truc_policy ?? 'enforce').toBe('enforce');
  });

  it('turns what bitcoind refuses into a fault with its code', async () => {
    const refused = bitcoind.rpc('getblockhash', 1_000_000);
    await expect(refused).rejects.toBeInstanceOf(RpcFault);
    await expect(refused).rejects.toMatchObject({ code: -8 });
  });

  it('mines, pays from the faucet, and counts what arrived', async () => {
    const before = await bitcoind.rpc<number>('getblockcount');
    expect(before).toBeGreaterThan(100);
    const txid = await funds.faucet(somebody, 1_234_567n);
    expect(await bitcoind.rpc<string[]>('getrawmempool')).toContain(txid);
    const [block] = await funds.mine(1);
    const { tx } = await bitcoind.rpc<{ tx: string[] }>('getblock', block);
    expect(tx).toContain(txid);
    const scan = await bitcoind.rpc<{ total_amount: number }>('scantxoutset', 'start', [`addr(${somebody})`]);
    expect(satoshiOf(scan.total_amount)).toBe(1_234_567n);
  });

  it('takes whatever height a transaction is locked until: the faucet draws it', async () => {
    const wallet = bitcoind.walletRpc('faucet');
    const raw = await wallet<string>('createrawtransaction', [], [{ [somebody]: bitcoinOf(70_000n) }], 21);
    const { hex } = await wallet<{ hex: string }>('fundrawtransaction', raw);
    const signed = await wallet<{ hex: string }>('signrawtransactionwithwallet', hex);
    const txid = await bitcoind.rpc<string>('sendrawtransaction', signed.hex);
    expect(await bitcoind.rpc<string[]>('getrawmempool')).toContain(txid);
    await funds.mine(1);
  });

  it('mines by itself when transactions wait, and only then', async () => {
    const end = funds.autoMine(20);
    const height = await bitcoind.rpc<number>('getblockcount');
    await funds.faucet(somebody, 50_000n);
    await bitcoind.rpc('waitforblockheight', height + 1);
    await end();
    expect(await bitcoind.rpc<number>('getblockcount')).toBe(height + 1);
  });
});

it('starts again on the chain it left, in the folder it was given, even after a crash', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'naulon-kept-'));
  try {
    const first = await startBitcoind({ dataDir });
    const hashes = await (await openFunds(first)).mine(3);
    await first.stop();
    const second = await startBitcoind({ dataDir, program: first.program });
    expect(await second.rpc('getbestblockhash')).toBe(hashes[2]);
    await second.kill();
    expect(existsSync(dataDir)).toBe(true);
    const third = await startBitcoind({ dataDir, program: first.program });
    expect(await third.rpc<number>('getblockcount')).toBeGreaterThan(100);
    await third.stop();
    expect(await third.ended).toBe(false);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

it('says so when it ends without being asked, and removes its temporary folder at stop all the same', async () => {
  const bitcoind = await startBitcoind();
  process.kill(bitcoind.pid, 'SIGKILL');
  expect(await bitcoind.ended).toBe(true);
  await bitcoind.stop();
  expect(existsSync(bitcoind.dataDir)).toBe(false);
});

it('reports why it cannot start', async () => {
  const one = await startBitcoind();
  const other = startBitcoind({ program: one.program, rpcPort: one.rpcPort });
  await expect(other).rejects.toMatchObject({ code: 'BITCOIND_START', exitCode: 3 });
  await one.stop();
});

it('leaves no process and no folder when its owner is killed', async () => {
  const owner = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { startBitcoind } from ${JSON.stringify(new URL('../dist/regtest/bitcoind.js', import.meta.url).href)};
       const { pid, dataDir } = await startBitcoind();
       console.log(JSON.stringify({ pid, dataDir }));
       setInterval(() => {}, 1000);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = await new Promise<string[]>(got =>
    createInterface(owner.stdout).once('line', text => got([text])),
  );
  const { pid, dataDir } = JSON.parse(line) as { pid: number; dataDir: string };
  const identity = identityOf(pid);
  expect(identity !== undefined && isRunning(identity)).toBe(true);
  owner.kill('SIGKILL');
  while ((identity !== undefined && isRunning(identity)) || existsSync(dataDir)) await pause(20);
});

describe('a process identity', () => {
  it('tells a process from a later one with its number', () => {
    const own = identityOf(process.pid);
    expect(own !== undefined && isRunning(own)).toBe(true);
    expect(isRunning({ pid: process.pid, started: '0' })).toBe(false);
    expect(signalProcess({ pid: process.pid, started: '0' }, 'SIGKILL')).toBe(false);
  });
});

describe('amounts of bitcoin', () => {
  it('become satoshi and back without loss', () => {
    for (const satoshi of [0n, 1n, 240n, 99_999_999n, 100_000_000n, 2_100_000_000_000_000n])
      expect(satoshiOf(bitcoinOf(satoshi))).toBe(satoshi);
    expect(satoshiOf(0.00001)).toBe(1_000n);
    expect(satoshiOf(-0.5)).toBe(-50_000_000n);
    expect(() => satoshiOf('1e-5')).toThrow();
  });
});
