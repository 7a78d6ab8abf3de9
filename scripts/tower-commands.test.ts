import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../regtest/bitcoind.ts';
import { satoshiOf } from '../regtest/bitcoind-rpc.ts';
import { type Funds, openFunds } from '../regtest/funds.ts';
import { ChannelLab } from '../test/channel-lab.fixture.ts';
import { fillMempool, smallMempool } from '../test/full-mempool.fixture.ts';
import { storeRecords } from '../test/stored-records.fixture.ts';
import { runNaulon } from './naulon.fixture.ts';
import { naulonFile } from './node-process.ts';
import { settlementOf } from './settlement.ts';

let root: string;
let bitcoind: Bitcoind;
let funds: Funds;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'naulon-tower-test-'));
  bitcoind = await startBitcoind({ args: smallMempool });
  funds = await openFunds(bitcoind);
  writeFileSync(join(root, 'pass'), 'correct horse\n');
  const chain = `chain: {rpc: '${bitcoind.rpcUrl}', cookie: '${bitcoind.cookieFile}'}\n`;
  writeFileSync(join(root, 'pay.yaml'), chain);
}, 120_000);
afterAll(async () => {
  await bitcoind.stop();
  rmSync(root, { recursive: true, force: true });
});

const sealing = () => ['--passphrase-file', join(root, 'pass')];
const naulon = (...args: string[]) => runNaulon([...args, '--data-dir', join(root, 'none')]);

/** A watchtower in a process of its own, by what it says. */
class Tower {
  readonly #process: ChildProcess;
  readonly #lines: Record<string, unknown>[] = [];
  #news: () => void = () => {};

  constructor(...args: string[]) {
    const all = ['channel', 'watch', ...args, '--pay', join(root, 'pay.yaml'), '--json', ...sealing()];
    this.#process = spawn(process.execPath, [naulonFile(), ...all], { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#process.stdout! }).on('line', line => {
      this.#lines.push(JSON.parse(line));
      this.#news();
    });
  }

  async until(event: string, fields: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    for (;;) {
      const wanted = Object.entries({ event, ...fields });
      const found = this.#lines.find(line => wanted.every(([name, value]) => line[name] === value));
      if (found !== undefined) return found;
      await new Promise<void>(news => {
        this.#news = news;
      });
    }
  }

  count(event: string): number {
    return this.#lines.filter(line => line.event === event).length;
  }

  async stop(): Promise<void> {
    const ended = new Promise(done => this.#process.once('close', done));
    this.#process.kill('SIGTERM');
    expect(await ended).toBe(0);
  }
}

/** Records of one side of a lab, in a data directory. */
async function directoryOf(lab: ChannelLab, side: 'payer' | 'payee'): Promise<string> {
  const { store } = side === 'payer' ? lab.payerHost : lab.payeeHost;
  const directory = join(root, `${side}-${Math.random()}`);
  await storeRecords(
    directory,
    [...store.durable].map(([key, value]) => ({ key, value })),
  );
  return directory;
}

async function exported(directory: string): Promise<string> {
  const file = `${directory}.watch`;
  const ran = await naulon('channel', 'export', '--dir', directory, '-o', file, ...sealing());
  expect(ran).toMatchObject({ code: 0 });
  return file;
}

describe('naulon channel watch', { timeout: 120_000 }, () => {
  it('is given no key, and opens nothing without the passphrase', async () => {
    const lab = new ChannelLab(bitcoind, funds, {});
    await lab.fund();
    const talk = await lab.open();
    talk.lose();
    const directory = await directoryOf(lab, 'payer');
    const file = await exported(directory);
    await lab.stop();
    const { refundHeight, refundTxid } = lab.row('payer');
    const seed = [...lab.payerHost.store.durable].find(([key]) => key.endsWith('/seed'))?.[1] as Uint8Array;
    expect(readFileSync(file).includes(Buffer.from(seed))).toBe(false);
    writeFileSync(join(root, 'other'), 'wrong\n');
    const wrong = [
      'channel',
      'watch',
      file,
      '--pay',
      join(root, 'pay.yaml'),
      '--passphrase-file',
      join(root, 'other'),
    ];
    expect(await naulon(...wrong)).toMatchObject({
      code: 2,
      err: expect.stringContaining('another passphrase'),
    });
    const tower = new Tower(file);
    const height = await bitcoind.rpc<number>('getblockcount');
    await tower.until('watching');
    await funds.mine(refundHeight - height);
    await tower.until('offered', { how: 'refund', txid: refundTxid });
    await funds.mine(1);
    await tower.until('spent', { txid: refundTxid });
    await tower.stop();
  });

  it('settles what a relay earned that never comes back, and pays from its own wallet where fees are high', async () => {
    const lab = new ChannelLab(bitcoind, funds, {});
    await bitcoind.rpc('createwallet', 'tower');
    const wallet = bitcoind.walletRpc('tower');
    await funds.faucet(await wallet<string>('getnewaddress', '', 'bech32'), 100_000n);
    await lab.fund(200_000n);
    const talk = await lab.open(1_000_000n, 100_000_000n);
    await talk.pay(59_000_000n);
    const row = lab.row('payee');
    const relay = await exported(await directoryOf(lab, 'payee'));
    // The relay is gone for good; its payer would take all back at T.
    await lab.payeeHost.stop();
    const tower = new Tower(relay, '--wallet', 'tower', '--max-fees', '50000');
    const { channels } = await tower.until('watching');
    expect(channels).toMatchObject([{ how: 'payment', paidSat: '60000', actHeight: row.refundHeight - 3 }]);
    const height = await bitcoind.rpc<number>('getblockcount');
    await funds.mine(row.refundHeight - 5 - height);
    await fillMempool(bitcoind, funds, 100n);
    expect(await bitcoind.rpc<number>('getblockcount')).toBe(row.refundHeight - 4);
    const rawmempool = () => bitcoind.rpc<string[]>('getrawmempool');
    const mine = async (transactions: string[]) =>
      bitcoind.rpc('generateblock', await funds.address(), transactions);
    await mine([]);
    const { feeSat } = await tower.until('raised', { contract: `${row.contractTxid}:0` });
    const child = await settlementOf(bitcoind.rpc, { txid: row.settlementTxid, index: 2 });
    expect(child).toMatchObject({ confirmations: 0, feeSat: BigInt(String(feeSat)) });
    expect(child!.feeSat).toBeGreaterThan(30_000n);
    // A tower that starts anew knows what is in the mempool of its own: it makes no second child, but of one that no block has, more.
    await tower.stop();
    const again = new Tower(relay, '--wallet', 'tower', '--max-fees', '50000');
    await again.until('watching');
    await again.until('offered', { txid: row.settlementTxid });
    expect(await rawmempool()).toContain(child!.txid);
    await mine([]);
    await again.until('raised', { feeSat: '50000' });
    const dearer = await settlementOf(bitcoind.rpc, { txid: row.settlementTxid, index: 2 });
    expect(dearer).toMatchObject({ confirmations: 0, feeSat: 50_000n });
    await mine([row.settlementTxid, dearer!.txid]);
    await again.until('spent', { txid: row.settlementTxid });
    await lab.phase('payer', 'closed');
    expect(lab.row('payer').ending).toMatchObject({ txid: row.settlementTxid, payeeSat: 60_000n });
    // The child has no other output than the wallet's change, the anchor's 240 sat in it.
    const left = satoshiOf(await wallet<number>('getbalance'));
    expect(left).toBe(100_000n + 240n - 50_000n);
    for (let i = 0; i < 5; i++) await mine([]);
    await again.until('over');
    await again.stop();
    expect(again.count('raised')).toBe(1);
    await lab.payerHost.stop();
  });
});
