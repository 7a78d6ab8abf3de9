import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../regtest/funds.ts';
import { satoshiAt, settlementOf } from './settlement.ts';

let bitcoind: Bitcoind;
let funds: Funds;
beforeAll(async () => {
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
});
afterAll(() => bitcoind.stop());

it('follows an output from unspent over the mempool into a block, and accounts for every satoshi', async () => {
  const wallet = bitcoind.walletRpc('faucet');
  const address = await funds.address();
  const txid = await funds.faucet(address, 1_000_000n);
  await funds.mine(1);
  const { vout } = await bitcoind.rpc<{ vout: { n: number; scriptPubKey: { address: string } }[] }>(
    'getrawtransaction',
    txid,
    1,
  );
  const output = { txid, index: vout.find(each => each.scriptPubKey.address === address)?.n ?? -1 };
  expect(await settlementOf(bitcoind.rpc, output)).toBeUndefined();
  expect(await satoshiAt(bitcoind.rpc, output)).toBe(1_000_000n);

  const inputs = [{ txid, vout: output.index }];
  const raw = await bitcoind.rpc('createrawtransaction', inputs, [{ [await funds.address()]: '0.00999000' }]);
  const { hex } = await wallet<{ hex: string }>('signrawtransactionwithwallet', raw);
  const spending = await bitcoind.rpc<string>('sendrawtransaction', hex);
  const expected = { txid: spending, feeSat: 1_000n, outputs: [{ sat: 999_000n }] };
  expect(await settlementOf(bitcoind.rpc, output)).toMatchObject({ ...expected, confirmations: 0 });
  await funds.mine(2);
  expect(await settlementOf(bitcoind.rpc, output)).toMatchObject({ ...expected, confirmations: 2 });
});
