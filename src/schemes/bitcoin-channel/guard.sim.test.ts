import { Transaction } from 'bitcoinjs-lib';
import { expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { Lab, type SimHostWorld } from './sim-lab.fixture.ts';
import type { Conversation } from './test-world.ts';

/** Blocks take nothing below that: a settlement's or refund's own fee is 2,000. */
const highSatPerKvb = 20_000n;

/** Three channels of 60,000 sat paid, at a relay with a coin for each child. */
async function openThree(
  feeReserveSat: bigint,
): Promise<{ lab: Lab; end: (how: 'close' | 'lose') => Promise<void> }> {
  const lab = new Lab({ feeReserveSat });
  for (let coin = 0; coin < 3; coin++) {
    lab.chain.issue(lab.payeeScheme.desk.wallet('payee')!.address.script, 100_000n);
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
    const settlements = lab.payeeScheme.desk.channels().map(({ settlementTxid }) => settlementTxid);
    expect(childrenOf(lab, settlements)).toHaveLength(most);
  },
);

it('has one child for three refunds that wait', async () => {
  const { lab, end } = await openThree(1_000_000n);
  await end('lose');
  const rows = () => lab.payerScheme.desk.channels();
  const refunds = rows().map(({ refundTxid }) => refundTxid);
  const lastT = Math.max(...rows().map(({ refundHeight }) => refundHeight));
  // The relay is gone for good, and the payer was until all three were due.
  const [payer, relay] = [lab.payer, lab.payee].map(({ world }) => world as SimHostWorld);
  for (const { node, port } of [payer, relay]) {
    node.die();
    port.forget();
  }
  lab.mine(lastT + 3 - lab.chain.height);
  lab.chain.minedSatPerKvb = highSatPerKvb;
  lab.startPayer(payer.restart());
  lab.world.runUntilIdle();
  expect(childrenOf(lab, refunds).map(({ ins }) => ins.length)).toEqual([3]);
  lab.mine();
  expect(rows().map(({ phase }) => phase)).toEqual(refunds.map(() => 'refunded'));
});
