import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transaction } from 'bitcoinjs-lib';
import { afterAll, expect, it } from 'vitest';
import { Lab, type SimHostWorld } from '../src/schemes/bitcoin-channel/sim-lab.fixture.ts';
import { storeRecords } from '../test/stored-records.fixture.ts';
import { redeem } from './redeem-command.ts';
import { openTerminal } from './terminal.ts';

const root = mkdtempSync(join(tmpdir(), 'naulon-redeem-test-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Act = (method: string, parameters: readonly unknown[]) => unknown;

/** A bitcoind that answers what the command asks. */
async function bitcoindThat(act: Act): Promise<{ pay: string; close: () => void }> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { id, method, params } = JSON.parse(Buffer.concat(parts).toString());
    const result = (await act(method, params)) ?? null;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id, result, error: null }));
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const cookie = join(root, '.cookie');
  writeFileSync(cookie, '__cookie__:secret');
  const pay = join(root, 'pay.yaml');
  const { port } = server.address() as AddressInfo;
  writeFileSync(pay, `price: 0\nchain: {rpc: http://127.0.0.1:${port}, cookie: ${cookie}}\n`);
  return { pay, close: () => server.close() };
}

it('settles what a relay took while its records were looked at, before it ended', async () => {
  const lab = new Lab();
  const records = () =>
    [...(lab.payee.world as SimHostWorld).store.durable()].map(([key, value]) => ({ key, value }));
  const talk = await lab.open();
  const before = records();
  await talk.pay(2_000_000n);
  lab.world.runUntilIdle();
  const after = records();
  const dir = join(root, 'relay');
  await storeRecords(dir, before);
  const sent: Transaction[] = [];
  const bitcoind = await bitcoindThat(async (method, [first]) => {
    if (method === 'getblockcount') return lab.chain.height;
    if (method === 'getmempoolinfo') return { mempoolminfee: 0.00001 };
    if (method === 'estimatesmartfee') {
      await storeRecords(dir, after);
      return {};
    }
    sent.push(Transaction.fromHex(first as string));
    return 'txid';
  });
  const quiet = { ...openTerminal({ quiet: true }), print: () => {}, say: () => {} };
  expect(await redeem({ dir, all: true, pay: bitcoind.pay, dataDir: root }, quiet, [])).toBe(0);
  bitcoind.close();
  expect(sent.map(({ outs }) => outs[0].value)).toEqual([3_000n]);
});
