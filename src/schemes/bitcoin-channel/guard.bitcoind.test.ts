import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../../../regtest/funds.ts';
import { settlementOf } from '../../../scripts/settlement.ts';
import { ChannelLab } from '../../../test/channel-lab.fixture.ts';
import { fillMempool, smallMempool } from '../../../test/full-mempool.fixture.ts';

let bitcoind: Bitcoind;
let funds: Funds;
beforeAll(async () => {
  bitcoind = await startBitcoind({ args: smallMempool });
  funds = await openFunds(bitcoind);
});
afterAll(() => bitcoind.stop());
beforeEach(async () => {
  while ((await bitcoind.rpc<string[]>('getrawmempool')).length > 0) await funds.mine(1);
});

const rpc = () => bitcoind.rpc;
const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

/** What the transaction that spends a settlement's anchor pays. */
async function childFeeSat(txid: string): Promise<bigint> {
  return (await settlementOf(rpc(), { txid, index: 2 }))?.feeSat ?? 0n;
}

/** Three channels of 60,000 sat paid, each by a wallet coin of its own. */
async function openThree(lab: ChannelLab) {
  for (let i = 0; i < 3; i++) await lab.fund(200_000n);
  const talks = [];
  for (let i = 0; i < 3; i++) talks.push(await lab.open(60_000_000n, 100_000_000n));
  return talks;
}

describe('money at stake while fees are fifty times what they were and the mempool is full', () => {
  it('is settled, with no more than the reserve under way at a time', { timeout: 120_000 }, async () => {
    const lab = new ChannelLab(bitcoind, funds, { feeReserveSat: 80_000n });
    const talks = await openThree(lab);
    expect(await fillMempool(bitcoind, funds, 100n)).toBeGreaterThanOrEqual(100_000n);
    for (const talk of talks) await talk.close();
    await lab.mineWithout(3);
    const rows = () => lab.payeeScheme.desk.channels();
    const underWay = async () => {
      const waiting = rows().filter(({ phase }) => phase === 'closing');
      return sum(await Promise.all(waiting.map(each => childFeeSat(each.settlementTxid).catch(() => 0n))));
    };
    // Whichever bitcoind's answers let go first: the third would take it beyond, and waits until one is in a block.
    await lab.inPoolOf(
      rows().map(({ settlementTxid }) => settlementTxid),
      2,
    );
    const before = await underWay();
    expect(before).toBeGreaterThan(60_000n);
    expect(before).toBeLessThanOrEqual(80_000n);
    // Nor does a relay that starts again forget what is under way.
    await lab.restore('payee', [...lab.payeeHost.store.durable]);
    await lab.mineWithout(3);
    const isShort = () => lab.payeeHost.faults.some(fault => fault.startsWith('settlement_reserve_short'));
    expect(await lab.payeeHost.until(isShort)).toBe(true);
    expect(await underWay()).toBe(before);
    for (let blocks = 0; blocks < 25 && rows().some(({ phase }) => phase !== 'closed'); blocks++) {
      expect(await underWay()).toBeLessThanOrEqual(80_000n);
      await lab.mine();
    }
    const endings = rows().map(({ ending }) => ending);
    expect(endings).toMatchObject(rows().map(() => ({ how: 'payment', payeeSat: 60_000n })));
    // To the satoshi: what was earned, with the anchors, less what the children paid.
    const fees = await Promise.all(rows().map(({ settlementTxid }) => childFeeSat(settlementTxid)));
    const anchors = 240n * BigInt(fees.filter(fee => fee > 0n).length);
    await lab.mine();
    const { confirmedSat, unconfirmedSat } = lab.payeeScheme.desk.wallet('payee')!.balance;
    expect(confirmedSat + unconfirmedSat).toBe(180_000n + anchors - sum(fees));
    await lab.checkLedgers();
    await lab.stop();
  });

  it('is refunded, many channels by one child', { timeout: 120_000 }, async () => {
    const lab = new ChannelLab(bitcoind, funds, {});
    const talks = await openThree(lab);
    for (const talk of talks) talk.lose();
    // The relay is gone for good, and with it what it was paid.
    await lab.payeeHost.stop();
    const wallet = lab.payerScheme.desk.wallet('payer')!;
    const before = wallet.balance;
    const rows = () => lab.payerScheme.desk.channels();
    // T of the first; the others follow a block later each.
    const T = Math.min(...rows().map(({ refundHeight }) => refundHeight));
    await funds.mine(T - 2 - (await rpc()<number>('getblockcount')));
    await fillMempool(bitcoind, funds, 150n);
    for (let height = T; height <= T + 2; height++) {
      await rpc()('generateblock', await funds.address(), []);
      expect(await lab.payerHost.until(() => lab.payerScheme.desk.tip === height)).toBe(true);
    }
    for (const { refundTxid } of rows()) await lab.inPool(refundTxid);
    const children = rows().map(({ refundTxid: txid }) => settlementOf(rpc(), { txid, index: 0 }));
    const [child, ...others] = await Promise.all(children);
    expect(others.map(each => each?.txid)).toEqual([child?.txid, child?.txid]);
    expect(child).toMatchObject({ confirmations: 0, outputs: [{}] });
    const together = [...rows().map(({ refundTxid }) => refundTxid), child!.txid];
    await rpc()('generateblock', await funds.address(), together);
    const refunded = () => rows().every(({ phase }) => phase === 'refunded');
    expect(await lab.payerHost.until(refunded)).toBe(true);
    await lab.payerHost.until(() => wallet.balance.unconfirmedSat === 0n);
    const returned = rows().map(({ capacitySat, feeSat }) => capacitySat - feeSat);
    const after = wallet.balance.confirmedSat - before.confirmedSat - before.unconfirmedSat;
    expect(after).toBe(sum(returned) - child!.feeSat);
    await lab.payerHost.stop();
  });
});
