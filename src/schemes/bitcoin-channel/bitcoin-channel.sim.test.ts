import { Transaction } from 'bitcoinjs-lib';
import { beforeEach, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../base/bytes.ts';
import { offerBlocks } from '../../base/limits.ts';
import { closingMessage, type Open, openMessage, schemeId, statusMessage, targetOp } from './messages.ts';
import { gib, Lab, type SimHostWorld } from './sim-lab.fixture.ts';
import type { PayEnd } from './test-world.ts';

describe.each(['spillman', 'cltv'] as const)('bitcoin-channel, %s', variant => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab({ variant });
  });

  it('pays and settles', async () => {
    const talk = await lab.open();
    for (let i = 0; i < 5; i++)
      expect(await talk.pay(300_500n)).toMatchObject({ kind: 'credited', value: 301_000n });
    expect(talk.credited).toBe(2_505_000n);
    expect(await talk.close()).toBe(true);
    lab.world.runUntilIdle();
    lab.mine();
    for (const side of ['payer', 'payee'] as const) {
      const row = lab.row(side);
      expect(row).toMatchObject({ phase: 'closed', paidSat: 2_505n, payments: 6, endingConfirmations: 1 });
      const { ending, capacitySat, feeSat } = row;
      expect(ending).toMatchObject({ how: 'payment', payeeSat: 2_505n, txid: row.settlementTxid });
      expect(ending!.payeeSat + ending!.payerSat + feeSat + 240n).toBe(capacitySat);
    }
    expect(lab.payeeScheme.desk.wallet('payee')!.balance.confirmedSat).toBe(2_505n);
  });

  it('refunds after T', async () => {
    const talk = lab.talk();
    expect(await talk.pay(1_000_000n)).toEqual({ kind: 'waiting' });
    lab.mine();
    talk.lose();
    const { refundHeight, capacitySat, feeSat } = lab.row('payer');
    const { channel } = lab.row('payer');
    const refund = () => lab.payer.world.turn(() => lab.payerScheme.desk.refund(channel));
    expect(refund()).toMatchObject({ ok: false });
    lab.mine(refundHeight - lab.chain.height - 1);
    expect(lab.row('payer').phase).toBe('funded');
    // Its owner need not wait until it is offered by itself.
    lab.chain.mine();
    lab.world.runUntilIdle();
    for (const { transaction } of lab.chain.mempool.transactions) lab.chain.mempool.evict(transaction.id);
    expect(refund()).toMatchObject({ ok: true });
    lab.world.runUntilIdle();
    expect(lab.chain.mempool.transactions).toHaveLength(1);
    lab.mine();
    expect(lab.row('payer')).toMatchObject({ phase: 'refunded' });
    expect(lab.row('payer').ending).toMatchObject({ how: 'refund', payerSat: capacitySat - feeSat });
  });

  it('refuses what is replayed, decreasing, forged or too large, and credits nothing', async () => {
    const talk = await lab.open();
    await talk.pay(5_000_000n);
    const credited = talk.credited;
    const best = talk.sent.at(-1)!;
    const first = talk.sent.at(-2)!;
    const forged = best.slice();
    forged[17] += 1;
    const large = best.slice();
    large.fill(0xff, 10, 18);
    const refusals: [Uint8Array, string][] = [
      [best, 'stale'],
      [first, 'stale'],
      [forged, 'badSignature'],
      [large, 'overspent'],
      [best.subarray(0, 50), 'malformed'],
      [Uint8Array.of(1, 99), 'malformed'],
      [Uint8Array.of(99), 'malformed'],
    ];
    for (const [payment, code] of refusals) {
      expect(await talk.send(payment)).toMatchObject({ kind: 'refused', fault: { code } });
    }
    const other = lab.talk();
    other.target = lab.payee.world.turn(() => lab.payee.side.target(other.session));
    expect(await other.send(best)).toMatchObject({ kind: 'refused', fault: { code: 'unknownChannel' } });
    expect(talk.credited + other.credited).toBe(credited);
    expect(lab.row('payee').paidSat * 1000n).toBe(credited);
  });

  it('keeps its best payment over a crash of the payee, and settles it', async () => {
    const talk = await lab.open();
    await talk.pay(2_000_000n);
    lab.startPayee((lab.payee.world as SimHostWorld).restart());
    lab.payer.world.turn(() => lab.payer.side.ended(talk.session));
    lab.world.runUntilIdle();
    expect(lab.row('payee')).toMatchObject({ paidSat: 3_000n, phase: 'open' });
    lab.mine(3);
    expect(lab.row('payee').phase).toBe('closing');
    lab.mine();
    expect(lab.row('payee')).toMatchObject({ phase: 'closed', paidSat: 3_000n });
    expect(lab.row('payer')).toMatchObject({ phase: 'closed' });
  });

  it('settles again what a reorganisation took out of the chain while the payee was down', async () => {
    const talk = await lab.open();
    await talk.close();
    lab.world.runUntilIdle();
    lab.mine();
    expect(lab.row('payee').phase).toBe('closed');
    const [settlement] = lab.chain.tip.transactions.slice(1);
    const world = lab.payee.world as SimHostWorld;
    world.node.die();
    lab.chain.reorg(1, { without: [settlement.id] });
    lab.startPayee(world.restart());
    lab.mine(4);
    expect(lab.row('payee')).toMatchObject({ phase: 'closed', ending: { how: 'payment' } });
    expect(lab.payeeScheme.desk.wallet('payee')!.balance.confirmedSat).toBe(1_000n);
  });

  it('lets a payer that crashed get its money back', async () => {
    const talk = await lab.open();
    lab.startPayer((lab.payer.world as SimHostWorld).restart());
    lab.payee.world.turn(() => lab.payee.side.ended(talk.session));
    lab.world.runUntilIdle();
    expect(lab.row('payer')).toMatchObject({ phase: 'open', paidSat: 1_000n });
    const again = lab.talk();
    expect(lab.payerScheme.desk.close(lab.row('payer').channel)).toMatchObject({ ok: true });
    expect(await again.close()).toBe(true);
    lab.mine();
    expect(lab.row('payer')).toMatchObject({ phase: 'closed' });
    const { confirmedSat } = lab.payerScheme.desk.wallet('payer')!.balance;
    const [{ feeSat }] = [lab.row('payer')];
    expect(confirmedSat).toBeGreaterThan(3n * gib - 1_000n - feeSat - 240n - 1_000n);
  });
});

describe('bitcoin-channel', () => {
  it('goes on with a channel opened ahead, in one session alone', async () => {
    const lab = new Lab();
    const ahead = lab.talk();
    expect(await ahead.pay(0n)).toEqual({ kind: 'waiting' });
    lab.mine();
    expect(await ahead.pay(0n)).toEqual({ kind: 'ready' });
    ahead.lose();
    const talk = lab.talk();
    expect(await talk.pay(1_000_000n)).toMatchObject({ kind: 'credited', value: 1_000_000n });
    expect(lab.rows('payer')).toHaveLength(1);
    const second = lab.talk();
    expect(await second.pay(1_000_000n)).toEqual({ kind: 'waiting' });
    expect(lab.rows('payer')).toHaveLength(2);
  });

  it('opens one more where its owner asks for one, of exactly the size asked', async () => {
    const lab = new Lab();
    const capacities = () => lab.rows('payer').map(({ capacitySat }) => capacitySat);
    for (const capacitySat of [70_000n, 90_000n]) {
      const ahead = lab.talk();
      expect(lab.payerScheme.desk.open(ahead.session, { capacitySat })).toBe(true);
      expect(await ahead.pay(0n)).toEqual({ kind: 'waiting' });
      lab.mine();
      expect(await ahead.pay(0n)).toEqual({ kind: 'ready' });
      ahead.lose();
    }
    expect(capacities().sort()).toEqual([70_000n, 90_000n]);
    const tooSmall = lab.talk();
    lab.payerScheme.desk.open(tooSmall.session, { capacitySat: 4_999n });
    expect(await tooSmall.pay(0n)).toMatchObject({ fault: { code: 'PAY_CHANNEL_SIZE' } });
    expect(capacities()).toHaveLength(2);
  });

  it('goes on with another channel when one is nearly used up, and gets the rest of it back', async () => {
    const lab = new Lab();
    const value = 9_500_000n;
    const talk = await lab.open(value);
    const { capacitySat, feeSat } = lab.row('payer');
    let paid = value;
    for (let at = 0; at < 6; at++) {
      const end = await talk.pay(value);
      if (end.kind === 'credited') paid += end.value;
      else expect(end).toEqual({ kind: 'waiting' });
      lab.mine();
    }
    expect(talk.credited).toBe(paid);
    const usedUp = lab.rows('payer').filter(({ phase }) => phase !== 'open');
    expect([usedUp.length > 1, lab.rows('payer').length - usedUp.length]).toEqual([true, 1]);
    for (const { phase, paidSat, ending } of usedUp) {
      expect(phase).toBe('closed');
      expect(ending).toMatchObject({ payeeSat: paidSat, payerSat: capacitySat - paidSat - feeSat - 240n });
    }
  });

  it('asks its owner for less while much of a channel is left', async () => {
    const lab = new Lab();
    const talk = await lab.open(5_000_000n);
    expect(await talk.pay(9_500_000n)).toMatchObject({ fault: { code: 'PAY_CHANNEL_EXHAUSTED' } });
    expect(await talk.pay(4_000_000n)).toMatchObject({ kind: 'credited' });
    expect(lab.rows('payer')).toHaveLength(1);
  });

  it('opens no other channel for a payee that settles one in which much is left', async () => {
    const lab = new Lab();
    const talk = await lab.open();
    const channel = fromHex(lab.row('payer').channel) as Uint8Array;
    talk.target = closingMessage.encode({
      scheme: schemeId,
      op: targetOp.closing,
      channel,
      paidSat: 1_000n,
      txid: new Uint8Array(32),
    });
    expect(await talk.pay(1_000_000n)).toMatchObject({ fault: { code: 'PAY_CHANNEL_EXHAUSTED' } });
    expect(lab.rows('payer')).toHaveLength(1);
  });

  it('says that a session ends soon while its payee still takes payments', async () => {
    const lab = new Lab();
    const talk = await lab.open();
    const endsSoon = () => lab.payer.side.endsSoon?.(talk.session);
    lab.mine(lab.row('payer').refundHeight - 25 - lab.chain.height);
    expect(endsSoon()).toBe(false);
    lab.mine(1);
    expect(endsSoon()).toBe(true);
    lab.mine(11);
    expect(await talk.pay(1_000_000n)).toMatchObject({ kind: 'credited' });
  });

  it('settles by itself before T', async () => {
    const lab = new Lab();
    const talk = await lab.open();
    const { refundHeight } = lab.row('payee');
    lab.mine(refundHeight - 12 - lab.chain.height);
    expect(await talk.pay(1_000_000n)).toMatchObject({ kind: 'refusedByPayee', fault: { code: 'expired' } });
    expect(lab.row('payee').phase).toBe('open');
    lab.mine(7);
    expect(lab.row('payee').phase).toBe('closed');
  });

  it('freezes when a reorganisation takes the contract away', async () => {
    const lab = new Lab();
    const talk = await lab.open();
    const contract = Buffer.from(fromHex(lab.row('payee').contractTxid)!).reverse();
    lab.chain.reorg(1, { without: [toHex(contract)] });
    lab.world.runUntilIdle();
    expect(lab.row('payee').phase).toBe('frozen');
    const end: PayEnd = await talk.pay(1_000_000n);
    expect(end).toMatchObject({ kind: 'refusedByPayee', fault: { code: 'frozen' } });
    // The payer offers its contract again at the next block.
    lab.mine(2);
    expect(lab.row('payee').phase).toBe('open');
    expect(await talk.pay(1_000_000n)).toMatchObject({ kind: 'credited' });
    expect(lab.row('payee').paidSat * 1000n).toBe(talk.credited);
  });

  it('takes no last word for more than it has begun to settle', async () => {
    const lab = new Lab();
    const talk = await lab.open();
    const unsent = await lab.payer.result(talk.session, side =>
      side.pay(talk.session, talk.target, 2_000_000n),
    );
    expect(unsent).toMatchObject({ kind: 'send', value: 2_000_000n });
    talk.lose();
    lab.mine(3);
    expect(lab.row('payee')).toMatchObject({ phase: 'closing', paidSat: 1_000n });
    expect(lab.payerScheme.desk.close(lab.row('payer').channel)).toMatchObject({ ok: true });
    expect(await lab.talk().close()).toBe(false);
    lab.mine();
    expect(lab.row('payee')).toMatchObject({
      phase: 'closed',
      paidSat: 1_000n,
      ending: { payeeSat: 1_000n },
    });
  });

  it('takes no payment on a channel that it has offered to settle, though it has started again since', async () => {
    const lab = new Lab({ reusePaidChannels: true });
    const talk = await lab.open();
    talk.lose();
    lab.chain.minedSatPerKvb = 20_000n;
    lab.mine(4);
    const [{ transaction: settlement }] = lab.chain.mempool.transactions;
    // Thrown out here, and still in the mempool of a miner.
    lab.chain.mempool.floorSatPerKvb = 20_000n;
    lab.chain.mempool.evict(settlement.id);
    lab.startPayee((lab.payee.world as SimHostWorld).restart());
    lab.world.runUntilIdle();
    expect(await lab.talk(8_000_000n).pay(5_000_000n)).toMatchObject({ kind: 'refusedByPayee' });
    lab.chain.mempool.floorSatPerKvb = 1_000n;
    lab.chain.minedSatPerKvb = 0n;
    lab.chain.offer([settlement.bytes]);
    lab.mine();
    expect(lab.row('payee')).toMatchObject({
      phase: 'closed',
      paidSat: 1_000n,
      ending: { payeeSat: 1_000n },
    });
  });

  it('raises the fee of a settlement that waits', async () => {
    const lab = new Lab();
    const talk = await lab.open(5_000_000n);
    lab.chain.minedSatPerKvb = 5_000n;
    await talk.close();
    lab.mine(2);
    expect(lab.row('payee').phase).toBe('closing');
    lab.mine(3);
    expect(lab.row('payee').phase).toBe('closed');
  });

  it('releases coins when the payee takes no contract', async () => {
    const lab = new Lab();
    const talk = lab.talk();
    const { confirmedSat } = lab.payerScheme.desk.wallet('payer')!.balance;
    await talk.pay(1_000n, 1);
    lab.world.runUntilIdle();
    talk.lose();
    lab.world.runUntilIdle();
    expect(lab.payerScheme.desk.wallet('payer')!.balance).toEqual({ confirmedSat, unconfirmedSat: 0n });
    expect(lab.rows('payer')).toEqual([]);
  });

  it('pays from coins that it had, at once after a restart', async () => {
    const lab = new Lab();
    lab.startPayer((lab.payer.world as SimHostWorld).restart());
    const talk = lab.talk();
    expect(await talk.pay(1_000_000n)).toEqual({ kind: 'waiting' });
    expect(lab.row('payer')).toMatchObject({ phase: 'opening' });
    lab.mine();
    expect(await talk.pay(1_000_000n)).toMatchObject({ kind: 'credited' });
  });

  it('is given terms that hold, at once after a restart of the payee', async () => {
    const lab = new Lab();
    lab.mine(offerBlocks + 1);
    lab.startPayee((lab.payee.world as SimHostWorld).restart());
    const talk = lab.talk();
    expect(await talk.send(new Uint8Array(0))).toMatchObject({ kind: 'added', value: 0n });
    expect(await talk.pay(1_000_000n)).toEqual({ kind: 'waiting' });
  });

  it('pays nothing, and says so soon, while the chain does not answer after a restart', async () => {
    const lab = new Lab();
    const world = (lab.payer.world as SimHostWorld).restart();
    world.port.reach(false);
    lab.startPayer(world);
    const beforeMs = world.host.clock.monotonicMs();
    const code = 'PAY_CHAIN_UNAVAILABLE';
    expect(await lab.talk().pay(1_000_000n)).toMatchObject({ kind: 'refusedByPayer', fault: { code } });
    expect(world.host.clock.monotonicMs() - beforeMs).toBeLessThan(31_000);
    expect(await lab.talk().pay(1_000_000n)).toMatchObject({ kind: 'refusedByPayer', fault: { code } });
    expect(world.host.clock.monotonicMs() - beforeMs).toBeLessThan(31_000);
  });

  it('pays nothing to a target that another relay signed', async () => {
    const lab = new Lab();
    const talk = lab.talk();
    talk.target = lab.payee.world.turn(() => lab.payee.side.target(1));
    talk.target[talk.target.length - 1] ^= 1;
    const end = await talk.pay(1_000n);
    expect(end).toMatchObject({ kind: 'refusedByPayer', fault: { code: 'PAY_BAD_TARGET' } });
  });

  it('funds no contract whose refund it does not have, whatever its payee says instead', async () => {
    const lab = new Lab();
    const talk = lab.talk();
    expect(await talk.pay(1_000_000n, 1)).toEqual({ kind: 'waiting' });
    const [channel, paidSat] = [fromHex(lab.row('payer').channel)!, 0n];
    const head = { scheme: schemeId, op: targetOp.status };
    talk.target = statusMessage.encode({ ...head, channel, paidSat, signature: new Uint8Array(0) });
    expect(await talk.pay(1_000_000n)).toMatchObject({ fault: { code: 'PAY_BAD_TARGET' } });
    expect(lab.chain.mempool.transactions).toEqual([]);
    talk.lose();
    lab.mine(3);
    expect(lab.payerScheme.desk.wallet('payer')!.balance.confirmedSat).toBe(3n * gib);
  });

  it('never funds two channels by one transaction', async () => {
    const lab = new Lab();
    const talks = [lab.talk(), lab.talk(), lab.talk()];
    for (const talk of talks) await talk.pay(1_000_000n);
    const inputs = lab.chain.mempool.transactions.flatMap(({ transaction }) =>
      Transaction.fromBuffer(transaction.bytes).ins.map(input => toHex(input.hash)),
    );
    expect(new Set(inputs).size).toBe(3);
    expect(new Set(lab.rows('payer').map(row => row.contractTxid)).size).toBe(3);
  });
});

it('puts nothing into two of a thousand contracts by which they could be told to be of one client', async () => {
  const lab = new Lab();
  const opens: Open[] = [];
  for (let circuit = 1; circuit <= 1_000; circuit++) {
    const talk = lab.talk();
    expect(await talk.pay(1_000_000n)).toEqual({ kind: 'waiting' });
    opens.push(...talk.sent.flatMap(message => openMessage.decode(message) ?? []));
    if (circuit % 3 === 0) lab.mine();
  }
  lab.mine();
  const different = (values: readonly string[]): number => new Set(values).size;
  expect(different(opens.map(({ payerKey }) => toHex(payerKey)))).toBe(1_000);
  expect(different(opens.map(({ refundScript }) => toHex(refundScript)))).toBe(1_000);
  expect(different(opens.map(({ nonce }) => toHex(nonce)))).toBe(1_000);
  expect(different(opens.map(({ txid }) => toHex(txid)))).toBe(1_000);
  const funded = new Set(opens.map(({ txid }) => toHex(txid)));
  const contracts = lab.chain
    .blocksFrom(0)
    .flatMap(({ transactions }) => transactions)
    .map(({ bytes }) => Transaction.fromBuffer(bytes))
    .filter(transaction => funded.has(toHex(transaction.getHash())));
  const scripts = contracts.flatMap(({ outs }) => outs.map(({ script }) => toHex(script)));
  expect([contracts.length, different(scripts)]).toEqual([1_000, scripts.length]);
  // A contract, and perhaps change at an address of its own.
  for (const { outs } of contracts) expect(outs.filter(({ script }) => script.length === 34)).toHaveLength(1);
}, 60_000);
