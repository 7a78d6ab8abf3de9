import { Transaction } from 'bitcoinjs-lib';
import { expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { gib, Lab, type SimHostWorld } from './sim-lab.fixture.ts';

const balance = (lab: Lab) => lab.payerScheme.desk.wallet('payer')!.balance;
const everything = { confirmedSat: 3n * gib, unconfirmedSat: 0n };

function toT(lab: Lab, more: number): void {
  lab.mine(Math.max(...lab.rows('payer').map(row => row.refundHeight)) + more - lab.chain.height);
}

/** A contract that fees have thrown out of the mempool, for as long as it lasts. */
async function thrownOut() {
  const lab = new Lab();
  const talk = lab.talk();
  expect(await talk.pay(1_000_000n)).toEqual({ kind: 'waiting' });
  const [{ transaction }] = lab.chain.mempool.transactions;
  lab.chain.mempool.floorSatPerKvb = 50_000n;
  lab.chain.mempool.evict(transaction.id);
  talk.lose();
  return { lab, contract: transaction.bytes.slice() };
}

it('a contract that no block has by T gives its coins back, and at each start', async () => {
  const { lab } = await thrownOut();
  const locked = () => [lab.payerScheme.desk.lockedSat('payer'), lab.payeeScheme.desk.lockedSat('payee')];
  toT(lab, -1);
  expect(balance(lab)).not.toEqual(everything);
  // What its payer holds back; its payee has never seen it.
  expect(locked()).toEqual([lab.row('payer').capacitySat, 0n]);
  toT(lab, 2);
  expect(balance(lab)).toEqual(everything);
  expect(locked()).toEqual([0n, 0n]);
  lab.startPayer((lab.payer.world as SimHostWorld).restart());
  lab.mine(2);
  expect(balance(lab)).toEqual(everything);
  lab.chain.mempool.floorSatPerKvb = 1_000n;
  // The coin that is free again pays for the next one.
  await lab.open();
  const { capacitySat } = lab.rows('payer').find(({ phase }) => phase === 'open')!;
  expect(locked()).toEqual([capacitySat, capacitySat]);
  lab.startPayer((lab.payer.world as SimHostWorld).restart());
  lab.mine(2);
  expect(
    lab
      .rows('payer')
      .map(({ phase }) => phase)
      .sort(),
  ).toEqual(['open', 'void']);
});

it('a contract that a block has after T all the same is refunded', async () => {
  const { lab, contract } = await thrownOut();
  toT(lab, 2);
  lab.chain.mempool.floorSatPerKvb = 1_000n;
  expect(lab.chain.offer([contract])).toBeUndefined();
  lab.mine(3);
  expect(lab.row('payer').phase).toBe('refunded');
  const { confirmedSat, unconfirmedSat } = balance(lab);
  expect(unconfirmedSat).toBe(0n);
  expect(confirmedSat).toBeGreaterThan(3n * gib - 1_000n);
});

it('a contract that waits for a block with its settlement, at T, keeps its coins', async () => {
  const lab = new Lab({ rules: { refundBlocks: 30 } });
  const talk = await lab.open();
  const { refundHeight } = lab.row('payer');
  await talk.close();
  lab.mine();
  const free = balance(lab);
  lab.mine(refundHeight - lab.chain.height - 1);
  lab.startPayer((lab.payer.world as SimHostWorld).restart());
  lab.world.runUntilIdle();
  lab.chain.minedSatPerKvb = 50_000n;
  lab.chain.reorg(lab.chain.height - refundHeight + 31);
  lab.mine(2);
  expect(lab.chain.mempool.transactions.length).toBe(2);
  expect(lab.row('payer').phase).toBe('refunding');
  expect(balance(lab).confirmedSat).toBe(2n * gib);
  lab.chain.minedSatPerKvb = 0n;
  lab.mine(2);
  expect(lab.row('payer').phase).toBe('closed');
  expect(balance(lab)).toEqual(free);
});

it('a contract on the change of one that no block has by T gives its other coins back', async () => {
  const lab = new Lab({ capacitySatMax: 3n * gib });
  await lab.talk().pay(1_000n);
  const [{ transaction }] = lab.chain.mempool.transactions;
  lab.chain.mempool.floorSatPerKvb = 50_000n;
  lab.chain.mempool.evict(transaction.id);
  expect(await lab.talk(290_000_000_000n).pay(1_000_000n)).toEqual({ kind: 'waiting' });
  expect(balance(lab).confirmedSat).toBe(0n);
  toT(lab, 2);
  expect(balance(lab)).toEqual(everything);
});

it('no contract is made on the change of one that may never be sent', async () => {
  const lab = new Lab({ capacitySatMax: 3n * gib });
  const first = lab.talk();
  // Up to OPEN: its payee has not answered yet.
  await first.pay(1_000n, 1);
  const large = 290_000_000_000n;
  expect(await lab.talk(large).pay(1_000_000n)).toMatchObject({ fault: { code: 'PAY_NO_FUNDS' } });
  first.lose();
  lab.world.runUntilIdle();
  expect(balance(lab)).toEqual(everything);
  await lab.open(1_000_000n, lab.talk(large));
});

it('a contract that a reorganisation took with its ending keeps its coins, though its payer has started again', async () => {
  const lab = new Lab();
  const talk = await lab.open();
  const contract = lab.chain.tip.transactions[1];
  await talk.close();
  lab.world.runUntilIdle();
  lab.mine();
  const settlement = lab.chain.tip.transactions[1];
  lab.startPayer((lab.payer.world as SimHostWorld).restart());
  lab.world.runUntilIdle();
  expect(lab.row('payer').phase).toBe('closed');
  lab.chain.reorg(2, { without: [contract.id, settlement.id] });
  lab.world.runUntilIdle();
  expect(await lab.talk().pay(1_000_000n)).toEqual({ kind: 'waiting' });
  const coins = lab.chain.mempool.transactions
    .map(({ transaction }) => Transaction.fromBuffer(transaction.bytes))
    .filter(({ version }) => version === 2)
    .map(({ ins }) => toHex(ins[0].hash));
  expect(new Set(coins).size).toBe(2);
  lab.mine(2);
  expect(
    lab
      .rows('payer')
      .map(({ phase }) => phase)
      .sort(),
  ).toEqual(['closed', 'funded']);
});
