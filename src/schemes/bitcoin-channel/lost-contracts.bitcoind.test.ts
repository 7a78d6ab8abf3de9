import { Transaction } from 'bitcoinjs-lib';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../../../regtest/funds.ts';
import { ChannelLab } from '../../../test/channel-lab.fixture.ts';
import { signCoinInput } from '../../bitcoin/spend-coin.ts';

const fundedSat = 1_000_000n;
const feeSat = 10_000n;

let bitcoind: Bitcoind;
let funds: Funds;
let lab: ChannelLab;
beforeAll(async () => {
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
});
afterAll(() => bitcoind.stop());
beforeEach(async () => {
  lab = new ChannelLab(bitcoind, funds, {});
  await lab.fund(fundedSat);
  return () => lab.stop();
});

const wallet = () => lab.payerScheme.desk.wallet('payer')!;

/** The contract's coin paid back to the wallet that it came from, in hex. */
function spentOtherwise(): string {
  const [{ outpoint, valueSat, addressIndex }] = wallet().coins;
  const key = wallet().keyOf(wallet().scriptAt(addressIndex))!;
  const transaction = new Transaction();
  transaction.version = 2;
  transaction.addInput(outpoint.txid, outpoint.index);
  transaction.addOutput(wallet().address.script, valueSat - feeSat);
  signCoinInput(transaction, 0, { outpoint, valueSat, key });
  return transaction.toHex();
}

const mineOnly = async (transactions: readonly string[]) =>
  bitcoind.rpc('generateblock', await funds.address(), transactions);

const toT = async () =>
  lab.mine(lab.row('payer').refundHeight - (await bitcoind.rpc<number>('getblockcount')));

it('a contract whose coin a block has spent otherwise is void at T', { timeout: 60_000 }, async () => {
  void lab.talk().pay(1_000_000n);
  await lab.inMempool(1);
  await mineOnly([spentOtherwise()]);
  await toT();
  await lab.phase('payer', 'void');
  expect(wallet().balance).toEqual({ confirmedSat: fundedSat - feeSat, unconfirmedSat: 0n });
  expect(lab.payerScheme.desk.lockedSat('payer')).toBe(0n);
});

it('so is one that a reorganisation took, on which was paid, at both ends', { timeout: 60_000 }, async () => {
  await lab.open();
  const height = await bitcoind.rpc<number>('getblockcount');
  const conflict = spentOtherwise();
  await bitcoind.rpc('invalidateblock', await bitcoind.rpc<string>('getblockhash', height));
  await mineOnly([conflict]);
  await mineOnly([]);
  await toT();
  await lab.phase('payer', 'void');
  expect(await lab.payeeHost.until(() => lab.row('payee').phase === 'void')).toBe(true);
  expect(wallet().balance).toEqual({ confirmedSat: fundedSat - feeSat, unconfirmedSat: 0n });
  const calls = () => lab.payeeHost.faults.filter(fault => fault.startsWith('settlement_late')).length;
  const called = calls();
  await lab.mine(2);
  expect(calls()).toBe(called);
});
