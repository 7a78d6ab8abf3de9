import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../regtest/bitcoind.ts';
import { satoshiOf } from '../regtest/bitcoind-rpc.ts';
import { type Funds, openFunds } from '../regtest/funds.ts';
import { withBroker } from '../scripts/network-broker.ts';
import { toHex } from '../src/base/bytes.ts';
import { MortalBroker } from './mortal-broker.fixture.ts';

let folder: string;
let bitcoind: Bitcoind;
let funds: Funds;
let broker: MortalBroker;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-withdrawals-'));
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
});
afterAll(async () => {
  await bitcoind.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async ({ task }) => {
  broker = new MortalBroker({ folder, bitcoind, funds }, task.id);
  await broker.start('never');
});
afterEach(() => broker.process.stop());

const depositSat = 100_000n;
/** At 2 sat a virtual byte, as the wallet counts them: one coin, a payment, and change or none. */
const [feeSat, feeWithChangeSat] = [244n, 306n];
const dustSat = 294n;

interface Paid {
  readonly vsize: number;
  readonly vout: readonly { readonly value: number }[];
}

/** Pays so much out of an account that has one coin at a broker that has no other; the transaction in a block. */
async function withdrawn(sat: bigint): Promise<Paid & { readonly feeSat: bigint }> {
  const to = await bitcoind.walletRpc('faucet')<string>('getnewaddress', '', 'bech32');
  const told = await withBroker(broker.address, client => client.withdraw(broker.account, to, sat));
  const txid = toHex(told.txid.slice().reverse());
  while (!(await bitcoind.rpc<string[]>('getrawmempool')).includes(txid)) await pause(20);
  await funds.mine(1);
  return { ...(await bitcoind.rpc<Paid>('getrawtransaction', txid, true)), feeSat: told.feeSat };
}

it.each([
  ['nothing is left', depositSat - feeSat, feeSat, []],
  [
    'a left-over is dust with the fee of its output',
    depositSat - feeWithChangeSat - dustSat + 1n,
    feeWithChangeSat + dustSat - 1n,
    [],
  ],
  [
    'the least change is left that bitcoind relays',
    depositSat - feeWithChangeSat - dustSat,
    feeWithChangeSat,
    [dustSat],
  ],
])(
  'where %s, a withdrawal pays the right fee',
  async (_, sat, wantedSat, change) => {
    await broker.deposit(depositSat);
    const paid = await withdrawn(sat);
    expect(paid.feeSat).toBe(wantedSat);
    expect(paid.vout.map(({ value }) => satoshiOf(value))).toEqual([sat, ...change]);
    expect(Number(paid.feeSat) / paid.vsize).toBeGreaterThanOrEqual(2);
    await broker.has((depositSat - sat - wantedSat) * 1_000n);
    await broker.expectBacked();
  },
  60_000,
);

it('is refused for want of money where an account has not as much as the fee', async () => {
  await broker.deposit(depositSat);
  await expect(withdrawn(depositSat - feeSat + 1n)).rejects.toThrow(/refuses: overspent/);
  await expect(withdrawn(depositSat)).rejects.toThrow(/refuses: overspent/);
  await broker.has(depositSat * 1_000n);
}, 60_000);

it('counts what a miner is paid at an address of its own once a block may spend it', async () => {
  const address = await withBroker(broker.address, client => client.address(broker.account));
  await funds.mine(1, address);
  await broker.expectBacked();
  await funds.mine(98);
  await broker.expectBacked();
  await funds.mine(1);
  const minedAt = (await bitcoind.rpc<number>('getblockcount')) - 99;
  const { subsidy } = await bitcoind.rpc<{ subsidy: number }>('getblockstats', minedAt);
  await broker.has(BigInt(subsidy) * 1_000n);
  await broker.expectBacked();
}, 60_000);
