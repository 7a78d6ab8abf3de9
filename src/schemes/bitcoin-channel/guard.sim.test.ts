import { Transaction } from 'bitcoinjs-lib';
import { expect, it, vi } from 'vitest';
import { fromHex, toHex } from '../../base/bytes.ts';
import { readChildren } from './fee-child.ts';
import { Lab, type SimHostWorld } from './sim-lab.fixture.ts';
import type { Conversation, TestHost } from './test-world.ts';

/** Blocks take nothing below that: a settlement's or refund's own fee is 2,000. */
const highSatPerKvb = 20_000n;

/** Three channels of 60,000 sat paid, at a relay with a coin for each child. */
async function openThree(
  feeReserveSat: bigint,
): Promise<{ lab: Lab; end: (how: 'close' | 'lose') => Promise<void> }> {
  const lab = new Lab({ feeReserveSat });
  for (let coin = 0; coin < 3; coin++) {
    lab.issue('payee', 100_000n);
    lab.mine();
  }
  const talks: Conversation[] = [];
  for (let channel = 0; channel < 3; channel++)
    talks.push(await lab.open(60_000_000n, lab.talk(100_000_000n)));
  const end = async (how: 'close' | 'lose') => {
    for (const talk of talks) await talk[how]();
    lab.world.runUntilIdle();
  };
  return { lab, end };
}

function worldOf({ world }: { readonly world: TestHost }): SimHostWorld {
  return world as SimHostWorld;
}

/** Transactions that wait and spend an output of one of these. */
function childrenOf(lab: Lab, parents: readonly string[]): readonly Transaction[] {
  const waiting = lab.chain.mempool.transactions.map(({ transaction }) =>
    Transaction.fromBuffer(transaction.bytes),
  );
  const spends = ({ ins }: Transaction) =>
    ins.some(({ hash }) => parents.includes(toHex(Uint8Array.from(hash).reverse())));
  return waiting.filter(spends);
}

it.each([
  [1_000_000n, 3],
  [6_500n, 1],
  [0n, 0],
])(
  'with %d sat for fees has children under way for %d of three settlements that wait',
  async (reserve, most) => {
    const { lab, end } = await openThree(reserve);
    lab.chain.minedSatPerKvb = highSatPerKvb;
    await end('close');
    lab.mine(2);
    const settlements = lab.rows('payee').map(({ settlementTxid }) => settlementTxid);
    expect(childrenOf(lab, settlements)).toHaveLength(most);
  },
);

it('keeps to the reserve when it starts again, whatever fees are by then', async () => {
  const { lab, end } = await openThree(14_000n);
  lab.chain.minedSatPerKvb = highSatPerKvb;
  await end('close');
  lab.mine(2);
  const settlements = lab.rows('payee').map(({ settlementTxid }) => settlementTxid);
  const children = () => childrenOf(lab, settlements).map(({ outs }) => outs[0].value);
  const before = children();
  expect(before).toHaveLength(2);
  // Each may cost what all of the reserve is.
  lab.chain.minedSatPerKvb = 2n * highSatPerKvb;
  lab.startPayee(worldOf(lab.payee).restart());
  lab.mine(4);
  expect(children()).toEqual(before);
  lab.chain.minedSatPerKvb = 0n;
  lab.mine(8);
  expect(lab.rows('payee').map(({ phase }) => phase)).toEqual(['closed', 'closed', 'closed']);
  const { store } = worldOf(lab.payee);
  expect(worldOf(lab.payee).turn(() => readChildren(store, 'payee').size)).toBe(0);
});

it('pays nothing for a settlement that brings it nothing', async () => {
  const lab = new Lab();
  lab.issue('payee', 100_000n);
  const talk = lab.talk();
  await talk.pay(0n);
  lab.mine();
  await talk.pay(0n);
  lab.chain.minedSatPerKvb = 3_000n;
  await talk.close();
  lab.mine(lab.row('payee').refundHeight + 6 - lab.chain.height);
  expect(lab.payeeScheme.desk.wallet('payee')!.balance.confirmedSat).toBe(100_000n);
  lab.chain.minedSatPerKvb = 0n;
  lab.mine(2);
  expect(lab.row('payer').ending).toBeDefined();
});

it('keeps no coin for a settlement whose contract is gone', async () => {
  const lab = new Lab({ feeReserveSat: 50_000n });
  lab.issue('payee', 100_000n);
  const talk = await lab.open(60_000_000n, lab.talk(100_000_000n));
  lab.chain.minedSatPerKvb = highSatPerKvb;
  talk.lose();
  lab.mine(5);
  const wallet = () => lab.payeeScheme.desk.wallet('payee')!.balance;
  expect(wallet().confirmedSat).toBe(0n);
  lose(worldOf(lab.payer));
  const contract = Uint8Array.from(fromHex(lab.row('payee').contractTxid)!).reverse();
  lab.chain.reorg(8, { without: [toHex(contract)] });
  lab.mine(lab.row('payee').refundHeight + 6 - lab.chain.height);
  expect([lab.row('payee').phase, wallet()]).toEqual([
    'void',
    { confirmedSat: 100_000n, unconfirmedSat: 0n },
  ]);
});

/** A coin at the payee's address that a reorganisation can leave out; the id of what pays it. */
function payPayee(lab: Lab, sat: bigint): string {
  lab.chain.issue(Uint8Array.of(0, 20, ...new Uint8Array(20).fill(9)), sat);
  lab.mine();
  const paying = new Transaction();
  paying.addInput(lab.chain.tip.transactions[0].txid, 0);
  const { script } = lab.payee.world.turn(() => lab.payeeScheme.desk.wallet('payee')!.address);
  paying.addOutput(script, sat - 2_000n);
  expect(lab.chain.offer([paying.toBuffer()])).toBeUndefined();
  lab.mine();
  return toHex(Uint8Array.from(paying.getHash()));
}

it.each([false, true])(
  'pays for a settlement with another coin when a reorganisation took that of its child; payee started again: %s',
  async startsAgain => {
    const lab = new Lab({ feeReserveSat: 1_000_000n });
    lab.issue('payee', 200_000n);
    const talk = await lab.open(60_000_000n, lab.talk(100_000_000n));
    const dropped = payPayee(lab, 100_000n);
    lab.chain.minedSatPerKvb = highSatPerKvb;
    await talk.close();
    lab.mine(2);
    const { settlementTxid } = lab.row('payee');
    const [child] = childrenOf(lab, [settlementTxid]);
    expect(child.ins.map(({ hash }) => toHex(hash))).toContain(dropped);
    // It is mined at once after this; only so the child waits until then.
    lab.chain.minedSatPerKvb = 1_000n * highSatPerKvb;
    lab.chain.reorg(3, { without: [dropped] });
    lab.chain.minedSatPerKvb = highSatPerKvb;
    if (startsAgain) lab.startPayee(worldOf(lab.payee).restart());
    lab.mine(4);
    expect(lab.row('payee').phase).toBe('closed');
  },
);

it('outbids whoever pins a settlement by a child that is large and pays little, before T', async () => {
  const lab = new Lab({ feeReserveSat: 1_000_000n });
  lab.issue('payee', 200_000n);
  lab.chain.issue(Uint8Array.of(0, 20, ...new Uint8Array(20).fill(9)), 100_000n);
  lab.mine();
  const [{ txid: coin }] = lab.chain.tip.transactions;
  const talk = await lab.open(60_000_000n, lab.talk(100_000_000n));
  lab.chain.minedSatPerKvb = highSatPerKvb;
  await talk.close();
  lab.world.runUntilIdle();
  const { settlementTxid } = lab.row('payee');
  const settlement = Uint8Array.from(fromHex(settlementTxid)!).reverse();
  // As large as a child of version 3 may be, and it pays more than what a child would have to here: far too little for a block.
  const pin = new Transaction();
  pin.version = 3;
  pin.addInput(settlement, 2, 0xfffffffd);
  const index = lab.chain.unspent({ txid: coin, index: 1 }) === undefined ? 0 : 1;
  pin.addInput(coin, index, 0xfffffffd);
  for (let output = 0; output < 28; output++)
    pin.addOutput(Uint8Array.of(0, 20, ...new Uint8Array(20).fill(output)), 300n);
  const inSat = 240n + lab.chain.unspent({ txid: coin, index })!.coin.valueSat;
  pin.addOutput(Uint8Array.of(0, 20, ...new Uint8Array(20).fill(9)), inSat - 28n * 300n - 15_000n);
  expect(lab.chain.offer([pin.toBuffer()])).toBeUndefined();
  const T = lab.row('payee').refundHeight;
  lab.mine(5);
  expect(lab.row('payee').phase).toBe('closed');
  expect(lab.chain.height).toBeLessThan(T);
  expect(lab.chain.mempool.transactions).toEqual([]);
});

/** The process is gone for good. */
function lose({ node, port }: SimHostWorld): void {
  node.die();
  port.forget();
}

it('has one child for three refunds that wait', async () => {
  const { lab, end } = await openThree(1_000_000n);
  await end('lose');
  const rows = () => lab.rows('payer');
  const refunds = rows().map(({ refundTxid }) => refundTxid);
  const lastT = Math.max(...rows().map(({ refundHeight }) => refundHeight));
  // The payer was gone too until all three were due.
  const payer = worldOf(lab.payer);
  lose(worldOf(lab.payee));
  lose(payer);
  lab.mine(lastT + 3 - lab.chain.height);
  lab.chain.minedSatPerKvb = highSatPerKvb;
  lab.startPayer(payer.restart());
  lab.world.runUntilIdle();
  expect(childrenOf(lab, refunds).map(({ ins }) => ins.length)).toEqual([3]);
  lab.mine();
  expect(rows().map(({ phase }) => phase)).toEqual(refunds.map(() => 'refunded'));
});

it('does not outbid a settlement that waits for a block, to take back what it paid', async () => {
  const lab = new Lab({ feeReserveSat: 1_000_000n });
  const talk = await lab.open(60_000_000n, lab.talk(100_000_000n));
  lab.chain.minedSatPerKvb = highSatPerKvb;
  talk.lose();
  const isWaiting = () => lab.chain.mempool.transactions.length > 0;
  while (!isWaiting()) lab.mine();
  lose(worldOf(lab.payee));
  const [settlement] = lab.chain.mempool.transactions.map(({ transaction: { id } }) => id);
  const offered = vi.spyOn(worldOf(lab.payer).port, 'broadcast');
  lab.mine(lab.row('payer').refundHeight + 5 - lab.chain.height);
  const packages = offered.mock.calls.map(([transactions]) => transactions.length);
  expect([packages.length > 0, Math.max(...packages)]).toEqual([true, 1]);
  expect(lab.chain.mempool.transactions.map(({ transaction: { id } }) => id)).toEqual([settlement]);
  lab.chain.minedSatPerKvb = 0n;
  lab.mine();
  expect(lab.row('payer')).toMatchObject({ phase: 'closed', ending: { payeeSat: 60_000n } });
});

/** So many channels, and another some blocks later, of which nobody is left but the payer; it wants its refunds. */
async function openThenLater(together: number, feeReserveSat: bigint): Promise<Lab> {
  const lab = new Lab({ feeReserveSat });
  const talks: Conversation[] = [];
  for (let channel = 0; channel < together; channel++) talks.push(await lab.open());
  lab.mine(10);
  talks.push(await lab.open());
  for (const talk of talks) talk.lose();
  lose(worldOf(lab.payee));
  lab.chain.minedSatPerKvb = highSatPerKvb;
  return lab;
}

/** What the children of the payer's refunds pay into its wallet. */
function returning(lab: Lab): readonly bigint[] {
  const refunds = lab.rows('payer').map(({ refundTxid }) => refundTxid);
  return childrenOf(lab, refunds).map(({ outs }) => outs[0].value);
}

it('goes on with the child of its refunds when it starts again', async () => {
  const lab = await openThenLater(1, 1_000_000n);
  lab.mine(lab.row('payer').refundHeight + 2 - lab.chain.height);
  const [child] = returning(lab);
  expect(child).toBeGreaterThan(0n);
  // One that pays less is not taken in its place.
  lab.chain.minedSatPerKvb = highSatPerKvb / 2n;
  lab.startPayer(worldOf(lab.payer).restart());
  lab.world.runUntilIdle();
  expect(returning(lab)).toEqual([child]);
  expect(lab.payerScheme.desk.wallet('payer')!.balance.unconfirmedSat).toBe(child);
});

it('has no child for more refunds than the reserve pays for', async () => {
  const lab = await openThenLater(2, 8_500n);
  const [, second, third] = lab.rows('payer').map(({ refundHeight }) => refundHeight);
  lab.mine(second + 1 - lab.chain.height);
  const first = returning(lab);
  expect(first).toHaveLength(1);
  // Too much for the two to be raised again; the third alone would be below the reserve.
  lab.chain.minedSatPerKvb = highSatPerKvb + 4_000n;
  lab.mine(third + 3 - lab.chain.height);
  expect(lab.row('payer', 2).phase).toBe('refunding');
  expect(returning(lab)).toEqual(first);
});

/** It is told how high the chain is, and never comes to the end of past blocks. */
function stillLooking(world: SimHostWorld): TestHost {
  return {
    host: world.host,
    turn: run => world.turn(run),
    until: done => world.until(done),
    restart: () => world.restart(),
    attach: handler =>
      world.attach({
        onAnswer: answer => handler.onAnswer(answer),
        onChain: event => event.kind === 'tip' && handler.onChain(event),
      }),
  };
}

/** A channel that was paid on, at a relay and a payer that died, so many blocks before T. */
async function leftUntil(blocksLeft: number): Promise<Lab> {
  const lab = new Lab();
  (await lab.open()).lose();
  lose(worldOf(lab.payee));
  lose(worldOf(lab.payer));
  lab.mine(lab.row('payer').refundHeight - blocksLeft - lab.chain.height);
  return lab;
}

function offered(lab: Lab): readonly string[] {
  lab.world.runUntilIdle();
  return lab.chain.mempool.transactions.map(({ transaction }) =>
    toHex(Uint8Array.from(transaction.txid).reverse()),
  );
}

it('offers a settlement that is due before it has looked through the chain', async () => {
  const lab = await leftUntil(6);
  const { settlementTxid } = lab.row('payee');
  lab.startPayee(stillLooking(worldOf(lab.payee).restart()));
  expect(offered(lab)).toEqual([settlementTxid]);
});

it('offers a refund that is due before it has looked through the chain', async () => {
  const lab = await leftUntil(0);
  const { refundTxid } = lab.row('payer');
  lab.startPayer(stillLooking(worldOf(lab.payer).restart()));
  expect(offered(lab)).toEqual([refundTxid]);
});

it('offers nothing that is not due before it has looked through the chain', async () => {
  const lab = await leftUntil(7);
  lab.startPayee(stillLooking(worldOf(lab.payee).restart()));
  lab.startPayer(stillLooking(worldOf(lab.payer).restart()));
  expect(offered(lab)).toEqual([]);
});
