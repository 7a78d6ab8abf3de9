import { expect, it } from 'vitest';
import { payoutFeesSatMax } from '../base/limits.ts';
import { scriptOfAddress } from '../bitcoin/wallet.ts';
import { AccountHolder, BrokerLab } from './broker-lab.fixture.ts';
import { tillOperation, tillScheme, withdrawBody, withdrawReply } from './money-messages.ts';

const script = scriptOfAddress('bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080') as Uint8Array;

/** Withdrawals that were paid for when fees were low, each of the change of the one before. */
function stuck(name: string, sats = [30_000n, 20_000n]) {
  const lab = new BrokerLab(name, []);
  const alice = new AccountHolder(lab, 'alice');
  lab.fund(alice, 300_000n);
  const withdraw = (sat: bigint) => {
    const body = withdrawBody.encode({ operation: tillOperation.withdraw, sat, script });
    const { reply } = lab.ask(alice, tillScheme, lab.request(alice, body));
    lab.run(100);
    return { txid: withdrawReply.decode(reply ?? new Uint8Array(0))?.txid as Uint8Array, index: 0 };
  };
  const paid = sats.map(withdraw);
  const inBlocks = () => paid.map(outpoint => (lab.chain.unspent(outpoint)?.confirmations ?? 0) > 0);
  /** One after the other, each heard of before the next. */
  const mine = (blocks: number) => {
    for (let block = 0; block < blocks; block++) lab.mine();
  };
  return { lab, alice, withdraw, inBlocks, mine };
}

it('raises the fee of withdrawals that wait, at the cost of the house, also when it starts again', () => {
  const { lab, alice, inBlocks, mine } = stuck('high fees');
  const left = lab.heldMsat(alice.key.publicKey);
  lab.chain.minedSatPerKvb = 20_000n;
  lab.mine();
  lab.restart();
  expect(inBlocks()).toEqual([false, false]);
  mine(4);
  expect(inBlocks()).toEqual([true, true]);
  const house = lab.heldMsat(lab.key.publicKey);
  expect(house).toBeLessThan(-5_000_000n);
  expect(house).toBeGreaterThanOrEqual(-1_000n * payoutFeesSatMax);
  expect(lab.heldMsat(alice.key.publicKey)).toBe(left);
  lab.expectBacked();
  lab.restart();
  mine(3);
  expect(lab.heldMsat(lab.key.publicKey)).toBe(house);
  lab.expectBacked();
});

it('raises it once more when fees rise once more, and a withdrawal from what waits still goes out', () => {
  const { lab, withdraw, inBlocks, mine } = stuck('higher fees');
  lab.chain.minedSatPerKvb = 10_000n;
  mine(2);
  lab.chain.minedSatPerKvb = 60_000n;
  lab.mine();
  const last = withdraw(25_000n);
  lab.restart();
  mine(8);
  expect(inBlocks()).toEqual([true, true]);
  expect(lab.chain.unspent(last)?.confirmations).toBeGreaterThan(0);
  lab.expectBacked();
});

it('pays nothing beyond its budget, however high fees are', () => {
  const { lab, inBlocks, mine } = stuck('highest fees');
  lab.chain.minedSatPerKvb = 10_000_000n;
  mine(10);
  expect(inBlocks()).toEqual([false, false]);
  expect(lab.heldMsat(lab.key.publicKey)).toBe(0n);
  lab.chain.minedSatPerKvb = 0n;
  mine(2);
  expect(inBlocks()).toEqual([true, true]);
  lab.expectBacked();
});

it('brings a withdrawal back that fees have thrown out of the mempool', () => {
  const { lab, inBlocks, mine } = stuck('thrown out', [30_000n]);
  lab.chain.mempool.floorSatPerKvb = 20_000n;
  for (const { transaction } of lab.chain.mempool.transactions) lab.chain.mempool.evict(transaction.id);
  mine(6);
  expect(inBlocks()).toEqual([true]);
  lab.expectBacked();
});
