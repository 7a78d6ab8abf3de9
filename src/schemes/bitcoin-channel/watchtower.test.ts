import { Transaction } from 'bitcoinjs-lib';
import { expect, it } from 'vitest';
import type { ChainEvent, ChainPort } from '../../ports.ts';
import { type TowerNews, Watchtower } from './watchtower.ts';

const outpoint = { txid: new Uint8Array(32).fill(5), index: 0 };
const settlement = new Transaction();
settlement.addInput(outpoint.txid, outpoint.index);
settlement.addOutput(Uint8Array.of(0, 20, ...new Uint8Array(20)), 1_000n);
const transaction = new Uint8Array(settlement.toBuffer());

it('settles again what a reorganisation took after it was over', () => {
  const news: string[] = [];
  let offered = 0;
  const chain: ChainPort = {
    broadcast: () => void offered++,
    output: () => {},
    feerate: () => {},
    watch: () => {},
    unwatch: () => {},
  };
  const tower = new Watchtower({
    chain,
    newAsk: () => 1,
    tell: ({ event }: TowerNews) => void news.push(event),
    raise: () => {},
  });
  tower.take([
    {
      how: 'payment',
      outpoint,
      contractScript: new Uint8Array(34),
      capacitySat: 2_000n,
      paidSat: 1_000n,
      fromHeight: 100,
      actHeight: 110,
      refundHeight: 113,
      transaction,
    },
  ]);
  const hear = (event: ChainEvent) => tower.onChain(event);
  const block = (height: number) => hear({ kind: 'block', height, hash: new Uint8Array(32) });
  block(110);
  expect(offered).toBe(1);
  block(111);
  hear({ kind: 'spent', outpoint, transaction, height: 111 });
  for (let height = 112; height <= 116; height++) block(height);
  expect(news).toEqual(['taken', 'spent', 'over']);
  const before = offered;
  hear({ kind: 'reorg', height: 110 });
  block(111);
  expect([offered, tower.rows[0].state]).toEqual([before + 1, 'due']);
});
