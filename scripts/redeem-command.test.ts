import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transaction } from 'bitcoinjs-lib';
import { afterAll, expect, it } from 'vitest';
import { serveOwner } from '../relay/owner-commands.ts';
import { ok } from '../src/base/fault.ts';
import type { ChannelDesk } from '../src/schemes/bitcoin-channel/index.ts';
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
    if (method === 'getmempoolinfo') return { mempoolminfee: 0.00001, incrementalrelayfee: 0.00001 };
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

it.each([
  ['that bitcoind has never heard of is not said to be offered', false],
  ['that what waits for a block spends is', true],
])('of a contract %s', async (_, isSpent) => {
  const lab = new Lab();
  await lab.open();
  const { contractTxid, settlementTxid } = lab.row('payee');
  const dir = join(root, `relay-${isSpent}`);
  const { store } = lab.payee.world as SimHostWorld;
  await storeRecords(
    dir,
    [...store.durable()].map(([key, value]) => ({ key, value })),
  );
  const stop = await serveOwner(dir, { close: () => ok({ needsSession: false }) } as unknown as ChannelDesk);
  const answers: Record<string, unknown> = {
    getblockcount: lab.chain.height,
    getmempoolinfo: { mempoolminfee: 0.00001, incrementalrelayfee: 0.00001 },
    estimatesmartfee: {},
    getrawmempool: isSpent ? [settlementTxid] : [],
    getrawtransaction: { txid: settlementTxid, hex: '', vin: [{ txid: contractTxid, vout: 0 }] },
    getblock: { tx: [] },
  };
  const bitcoind = await bitcoindThat(method => answers[method]);
  const said: string[] = [];
  const terminal = {
    ...openTerminal({ quiet: true }),
    print: (line: string) => said.push(line),
    say: () => {},
  };
  const code = await redeem({ dir, all: true, pay: bitcoind.pay, dataDir: root }, terminal, []);
  await stop();
  bitcoind.close();
  const words = isSpent ? 'offered to the chain' : 'not offered: bitcoind knows no such contract';
  expect([code, said]).toEqual([isSpent ? 0 : 1, [expect.stringContaining(words)]]);
});
