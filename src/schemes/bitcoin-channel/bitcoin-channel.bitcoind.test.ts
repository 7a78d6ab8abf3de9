import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../../../regtest/funds.ts';
import { ChannelLab } from '../../../test/channel-lab.fixture.ts';

let bitcoind: Bitcoind;
let funds: Funds;

beforeAll(async () => {
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
});
afterAll(() => bitcoind.stop());

describe.each(['spillman', 'cltv'] as const)('bitcoin-channel on bitcoind, %s', variant => {
  let lab: ChannelLab;
  beforeEach(async () => {
    lab = new ChannelLab(bitcoind, funds, { variant });
    await lab.fund();
  });
  afterEach(() => lab.stop());

  it('pays and settles', async () => {
    const talk = await lab.open();
    for (let i = 0; i < 10; i++) expect(await talk.pay(250_000n)).toMatchObject({ kind: 'credited' });
    expect(talk.credited).toBe(3_500_000n);
    expect(await talk.close()).toBe(true);
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payer', 'closed');
    await lab.phase('payee', 'closed');
    const { ending, capacitySat, feeSat, settlementTxid } = lab.row('payee');
    expect(ending).toMatchObject({ how: 'payment', payeeSat: 3_500n, txid: settlementTxid });
    expect(ending!.payeeSat + ending!.payerSat + feeSat + 240n).toBe(capacitySat);
    await lab.checkLedgers();
  });

  it('settles a channel that is paid out, without an output for the payer, and goes on with another', async () => {
    const talk = await lab.open();
    expect(await talk.pay(18_900_000n)).toMatchObject({ kind: 'credited' });
    const paying = talk.pay(200_000n);
    await lab.inMempool(2);
    await lab.mine();
    expect(await paying).toMatchObject({ kind: 'credited' });
    await lab.phase('payee', 'closed');
    expect(lab.row('payee').ending).toMatchObject({ payeeSat: 20_000n, payerSat: 0n });
    // The first payment of a channel is no less than an output may be.
    expect(talk.credited).toBe(19_900_000n + 634_000n);
    await lab.checkLedgers();
  });

  it('returns a channel that paid nothing at once', async () => {
    const talk = lab.talk();
    const paying = talk.pay(0n);
    await lab.inMempool(1);
    await lab.mine();
    expect(await paying).toEqual({ kind: 'ready' });
    expect(await talk.close()).toBe(true);
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payer', 'closed');
    expect(lab.row('payer').ending).toMatchObject({ how: 'payment', payeeSat: 0n });
    await lab.checkLedgers();
  });

  it('refunds after T', async () => {
    const talk = lab.talk();
    const paying = talk.pay(0n);
    await lab.inMempool(1);
    await lab.mine();
    await paying;
    talk.lose();
    const { refundHeight, capacitySat, feeSat } = lab.row('payer');
    const height = await bitcoind.rpc<number>('getblockcount');
    await lab.mine(refundHeight - height - 1);
    expect(await bitcoind.rpc<string[]>('getrawmempool')).toEqual([]);
    await lab.mine();
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payer', 'refunded');
    expect(lab.row('payer').ending).toMatchObject({ how: 'refund', payerSat: capacitySat - feeSat });
    await lab.checkLedgers();
  });

  it('keeps the best payment over a kill of the payee, and settles it', async () => {
    const talk = await lab.open();
    await talk.pay(2_000_000n);
    await lab.payeeHost.stop();
    lab.payeeHost = lab.payeeHost.restart();
    lab.startPayee();
    lab.payer.side.ended(talk.session);
    await lab.phase('payee', 'open');
    await lab.mine();
    await lab.mine();
    await lab.mine();
    await lab.phase('payee', 'closing');
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payee', 'closed');
    expect(lab.row('payee').ending).toMatchObject({ how: 'payment', payeeSat: 3_000n });
    await lab.checkLedgers();
  });

  it('refuses what is replayed, decreasing, forged or too large, and credits nothing', async () => {
    const talk = await lab.open();
    await talk.pay(5_000_000n);
    const credited = talk.credited;
    const best = talk.sent.at(-1)!;
    const forged = best.slice();
    forged[17] += 1;
    const large = best.slice();
    large.fill(0xff, 10, 18);
    for (const [payment, code] of [
      [best, 'stale'],
      [talk.sent.at(-2)!, 'stale'],
      [forged, 'badSignature'],
      [large, 'overspent'],
    ] as const) {
      expect(await talk.send(payment)).toMatchObject({ kind: 'refused', fault: { code } });
    }
    expect(talk.credited).toBe(credited);
    expect(lab.row('payee').paidSat).toBe(6_000n);
    talk.lose();
  });

  it('raises the fee of a settlement by a child that bitcoind takes', async () => {
    const talk = await lab.open(8_000_000n);
    await talk.close();
    await lab.inMempool(1);
    // Miners leave the settlement out, until its child pays.
    await lab.mineWithout(3);
    await lab.inMempool(2);
    const mempool = await bitcoind.rpc<Record<string, { ancestorcount: number }>>('getrawmempool', true);
    expect(mempool[lab.row('payee').settlementTxid]).toMatchObject({ descendantcount: 2 });
    await lab.mineWithout(6);
    expect(lab.row('payee').phase).toBe('closing');
    await lab.mine();
    await lab.phase('payee', 'closed');
    await lab.checkLedgers();
  });
});
