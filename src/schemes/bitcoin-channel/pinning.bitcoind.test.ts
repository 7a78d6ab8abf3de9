import { Transaction } from 'bitcoinjs-lib';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../../../regtest/funds.ts';
import { ChannelLab } from '../../../test/channel-lab.fixture.ts';
import { pinOf } from '../../../test/settlement-pin.fixture.ts';
import { fromHex } from '../../base/bytes.ts';

let bitcoind: Bitcoind;
let funds: Funds;
beforeAll(async () => {
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
}, 120_000);
afterAll(() => bitcoind.stop());

it('a payer pins no settlement by a child of its own share', { timeout: 60_000 }, async () => {
  const lab = new ChannelLab(bitcoind, funds, {});
  await lab.fund(200_000n);
  const payeeWallet = lab.payeeScheme.desk.wallet('payee')!;
  await funds.faucet(payeeWallet.address.address, 200_000n);
  await lab.mine();
  const talk = await lab.open(60_000_000n, 100_000_000n);
  // Ten times what the settlement pays by itself.
  vi.spyOn(lab.payeeHost.host.chain, 'feerate').mockImplementation(ask => {
    setImmediate(() => lab.payee.onAnswer({ kind: 'feerate', ask, satPerKvb: 20_000n }));
  });
  await talk.close();
  const { settlementTxid, refundHeight } = lab.row('payee');
  await lab.inPool(settlementTxid);
  const raw = await bitcoind.rpc<string>('getrawtransaction', settlementTxid);
  const pin = pinOf(lab, Transaction.fromBuffer(fromHex(raw)!));
  expect(pin.virtualSize()).toBeGreaterThan(900);
  await bitcoind.rpc('sendrawtransaction', pin.toHex());
  const waiting = () => bitcoind.rpc<string[]>('getrawmempool');
  for (let blocks = 0; blocks < 6 && (await waiting()).includes(pin.getId()); blocks++) {
    await lab.mineWithout(1);
    await lab.payeeHost.until(() => lab.row('payee').phase === 'closing');
  }
  const entry = await bitcoind.rpc<{ descendantcount: number; fees: { descendant: number } }>(
    'getmempoolentry',
    settlementTxid,
  );
  expect(await waiting()).not.toContain(pin.getId());
  expect(entry).toMatchObject({ descendantcount: 2 });
  expect(entry.fees.descendant).toBeGreaterThan(0.00017);
  expect(await bitcoind.rpc<number>('getblockcount')).toBeLessThan(refundHeight - 3);
  await lab.mine();
  expect(await lab.payeeHost.until(() => lab.row('payee').phase === 'closed')).toBe(true);
  await lab.stop();
});
