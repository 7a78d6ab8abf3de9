import { Transaction } from 'bitcoinjs-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../regtest/bitcoind.ts';
import type { RpcCall } from '../regtest/bitcoind-rpc.ts';
import { type Funds, openFunds } from '../regtest/funds.ts';
import { type WatchOrder, watchOrders } from '../src/schemes/bitcoin-channel/index.ts';
import { ChannelLab } from '../test/channel-lab.fixture.ts';
import { pinOf } from '../test/settlement-pin.fixture.ts';
import { TowerFees } from './tower-fees.ts';

let bitcoind: Bitcoind;
let funds: Funds;
let wallet: RpcCall;
beforeAll(async () => {
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
  await bitcoind.rpc('createwallet', 'tower');
  wallet = bitcoind.walletRpc('tower');
}, 120_000);
afterAll(() => bitcoind.stop());

interface Earned {
  readonly transaction: Uint8Array;
  /** Raises its fee as at the latest block, so many blocks after it was due. */
  raise(fees: TowerFees, blocks: number, changed?: Partial<WatchOrder>): Promise<bigint | string | undefined>;
}

/** What a relay that is gone for good earned on one channel, and the contract. */
async function earned(): Promise<Earned> {
  const lab = new ChannelLab(bitcoind, funds, {});
  await lab.fund(200_000n);
  const talk = await lab.open(1_000_000n, 100_000_000n);
  await talk.pay(59_000_000n);
  const { contractTxid } = lab.row('payee');
  await lab.stop();
  const [order] = watchOrders(lab.payeeHost.store);
  const contract = `${contractTxid}:0`;
  const tip = await bitcoind.rpc<number>('getblockcount');
  return {
    transaction: order.transaction,
    raise: (fees, blocks, changed = {}) =>
      fees.raise(contract, { ...order, actHeight: tip - blocks, ...changed }, blocks, () => true),
  };
}

/** Calls as before, but what `act` does comes first at the next call of `method`, or right after it. */
function meanwhile(
  rpc: RpcCall,
  when: 'before' | 'after',
  method: string,
  act: () => Promise<unknown>,
): RpcCall {
  let acted = false;
  return async (called, ...parameters) => {
    const now = called === method && !acted;
    acted ||= now;
    if (now && when === 'before') await act();
    const result = await rpc<never>(called, ...parameters);
    if (now && when === 'after') await act();
    return result;
  };
}

/** So late that the feerate of the day was doubled several times. */
const late = 30;
const later = 60;

const tip = () => bitcoind.rpc<number>('getblockcount');

describe("what a tower adds to a settlement's fee", { timeout: 120_000 }, () => {
  it.each([
    ['after', 'listunspent'],
    ['before', 'submitpackage'],
  ] as const)('is asked for no more once a block has the settlement (%s %s)', async (when, method) => {
    await funds.faucet(await wallet<string>('getnewaddress', '', 'bech32'), 1_000_000n);
    const settlement = await earned();
    const first = await settlement.raise(new TowerFees(bitcoind.rpc, wallet, 900_000n), late);
    expect(first).toEqual(expect.any(BigInt));
    const mine = () => funds.mine(1);
    const [rpc, own] = [bitcoind.rpc, wallet].map(each => meanwhile(each, when, method, mine));
    expect(await settlement.raise(new TowerFees(rpc, own, 900_000n), later)).toBeUndefined();
  });

  it('is no more than the settlement pays', async () => {
    await funds.faucet(await wallet<string>('getnewaddress', '', 'bech32'), 1_000_000n);
    const settlement = await earned();
    const fees = new TowerFees(bitcoind.rpc, wallet, 900_000n);
    expect(await settlement.raise(fees, late, { paidSat: 0n })).toBeUndefined();
    expect(await settlement.raise(fees, late, { paidSat: 5_000n })).toBe(5_000n);
    // Offered again as it is: for one that replaces it there is not enough.
    expect(await settlement.raise(fees, later, { paidSat: 5_100n })).toBeUndefined();
    expect(await settlement.raise(fees, later)).toEqual(expect.any(BigInt));
  });

  it('is not said to be raised by what the chain refuses, and such a child counts against no cap', async () => {
    await funds.faucet(await wallet<string>('getnewaddress', '', 'bech32'), 1_000_000n);
    const settlement = await earned();
    const unsigned = Transaction.fromBuffer(settlement.transaction);
    unsigned.ins[0].witness[1] = new Uint8Array(64);
    const broke = new TowerFees(bitcoind.rpc, wallet, 0n);
    const [, wanted] = /it takes (\d+) sat/.exec(String(await settlement.raise(broke, late)))!;
    // Enough for one child, whatever the settlement's signatures weigh, and not for two.
    const fees = new TowerFees(bitcoind.rpc, wallet, (3n * BigInt(wanted)) / 2n);
    const refused = await settlement.raise(fees, late, { transaction: unsigned.toBuffer() });
    expect(refused).toMatch(/^bitcoind: submitpackage: .+/);
    const other = await earned();
    expect(await other.raise(fees, late)).toEqual(expect.any(BigInt));
  });

  it('is nothing for an old order while a settlement that pays more waits', async () => {
    await funds.faucet(await wallet<string>('getnewaddress', '', 'bech32'), 1_000_000n);
    const lab = new ChannelLab(bitcoind, funds, {});
    await lab.fund(200_000n);
    const talk = await lab.open(40_000_000n, 100_000_000n);
    const [old] = watchOrders(lab.payeeHost.store);
    await talk.pay(20_000_000n);
    const [newer] = watchOrders(lab.payeeHost.store);
    expect([old.paidSat, newer.paidSat]).toEqual([40_000n, 60_000n]);
    const contract = `${lab.row('payee').contractTxid}:0`;
    await lab.stop();
    const [txid, stale] = [newer, old].map(each => Transaction.fromBuffer(each.transaction).getId());
    await bitcoind.rpc('sendrawtransaction', Buffer.from(newer.transaction).toString('hex'));
    const fees = new TowerFees(bitcoind.rpc, wallet, 900_000n);
    expect(await fees.raise(contract, old, late, () => true)).toBeUndefined();
    const waiting = await bitcoind.rpc<string[]>('getrawmempool');
    expect([waiting.includes(txid), waiting.includes(stale)]).toEqual([true, false]);
    expect(await fees.raise(contract, newer, late, () => true)).toEqual(expect.any(BigInt));
  });

  it('doubles with each block that leaves it out, up to the cap', async () => {
    await funds.faucet(await wallet<string>('getnewaddress', '', 'bech32'), 1_000_000n);
    const settlement = await earned();
    const fees = new TowerFees(bitcoind.rpc, wallet, 2_000n);
    const paid = [];
    for (let blocks = 0; blocks < 4; blocks++) {
      paid.push(await settlement.raise(fees, blocks, { actHeight: (await tip()) - blocks }));
      // Asked for once more before the next block.
      expect(await settlement.raise(fees, blocks, { actHeight: (await tip()) - blocks })).toBeUndefined();
      await bitcoind.rpc('generateblock', await funds.address(), []);
    }
    const [first] = paid as bigint[];
    expect(first).toBeLessThan(500n);
    const second = 2n * first + 151n;
    expect(paid.slice(0, 3)).toEqual([first, second, 2n * second + 151n]);
    expect(paid[3]).toBe(2_000n);
    await funds.mine(1);
  });

  it('outbids whoever pins the settlement', async () => {
    await funds.faucet(await wallet<string>('getnewaddress', '', 'bech32'), 1_000_000n);
    const lab = new ChannelLab(bitcoind, funds, {});
    await lab.fund(200_000n);
    const talk = await lab.open(60_000_000n, 100_000_000n);
    await talk.pay(1_000_000n);
    const [order] = watchOrders(lab.payeeHost.store);
    const contract = `${lab.row('payee').contractTxid}:0`;
    const settlement = Transaction.fromBuffer(order.transaction);
    const pin = pinOf(lab, settlement);
    await lab.stop();
    await bitcoind.rpc('sendrawtransaction', settlement.toHex());
    await bitcoind.rpc('sendrawtransaction', pin.toHex());
    const fees = new TowerFees(bitcoind.rpc, wallet, 900_000n);
    const waiting = () => bitcoind.rpc<string[]>('getrawmempool');
    for (let blocks = 0; blocks < 10 && (await waiting()).includes(pin.getId()); blocks++) {
      await fees.raise(contract, { ...order, actHeight: (await tip()) - blocks }, blocks, () => true);
      await bitcoind.rpc('generateblock', await funds.address(), []);
    }
    expect(await waiting()).not.toContain(pin.getId());
    expect(await waiting()).toContain(settlement.getId());
    await funds.mine(1);
  });
});
