import { Transaction } from 'bitcoinjs-lib';
import { describe, expect, it } from 'vitest';
import { regtestRules } from '../../bitcoin/channel-rules.ts';
import type { AskId, ChainEvent, ChainPort, Outpoint } from '../../ports.ts';
import type { WatchOrder } from './watch-order.ts';
import { type TowerNews, Watchtower } from './watchtower.ts';

const outpoint = { txid: new Uint8Array(32).fill(5), index: 0 };
const settlement = new Transaction();
settlement.addInput(outpoint.txid, outpoint.index);
settlement.addOutput(Uint8Array.of(0, 20, ...new Uint8Array(20)), 1_000n);
const transaction = new Uint8Array(settlement.toBuffer());

const order: WatchOrder = {
  how: 'payment',
  outpoint,
  contractScript: new Uint8Array(34),
  capacitySat: 2_000n,
  paidSat: 1_000n,
  fromHeight: 100,
  actHeight: 110,
  refundHeight: 113,
  transaction,
};

/** A tower that watches one order, on a chain that is told by hand. */
class TowerBench {
  readonly news: string[] = [];
  offered = 0;
  /** What the chain says of an offer; undefined: it takes it, and says nothing of the contract. */
  fault: string | undefined;
  /** Of the contract, when it is asked after. */
  contract: 'nowhere' | 'unspent' | 'spending' | 'unknown' = 'nowhere';
  readonly #answers: (() => void)[] = [];
  readonly tower: Watchtower;
  #asks = 0;

  constructor() {
    const chain: ChainPort = {
      broadcast: (_transactions, ask) => {
        this.offered += 1;
        const { fault } = this;
        this.#answers.push(() => this.tower.onAnswer({ kind: 'broadcast', ask, ...(fault && { fault }) }));
      },
      output: (outpoint, ask) => this.#answers.push(() => this.#onOutput(outpoint, ask)),
      feerate: () => {},
      watch: () => {},
      unwatch: () => {},
    };
    this.tower = new Watchtower({
      chain,
      newAsk: () => ++this.#asks,
      tell: ({ event }: TowerNews) => void this.news.push(event),
      raise: () => {},
    });
    this.tower.take([order]);
  }

  #onOutput({ txid, index }: Outpoint, ask: AskId): void {
    expect({ txid, index }).toEqual(outpoint);
    const said = {
      nowhere: {},
      unspent: { output: { script: order.contractScript, valueSat: 2_000n, confirmations: 0 } },
      spending: { spending: true as const },
      unknown: { fault: 'unreachable' },
    };
    this.tower.onAnswer({ kind: 'output', ask, ...said[this.contract] });
  }

  hear(event: ChainEvent): void {
    this.tower.onChain(event);
    for (let next = this.#answers.shift(); next !== undefined; next = this.#answers.shift()) next();
  }

  block(height: number): void {
    this.hear({ kind: 'block', height, hash: new Uint8Array(32) });
  }

  /** How often the order is offered while these blocks come. */
  offersIn(from: number, to: number): number {
    const before = this.offered;
    for (let height = from; height <= to; height++) this.block(height);
    return this.offered - before;
  }
}

it('settles again what a reorganisation took after it was over', () => {
  const bench = new TowerBench();
  bench.block(110);
  expect(bench.offered).toBe(1);
  bench.block(111);
  bench.hear({ kind: 'spent', outpoint, transaction, height: 111 });
  for (let height = 112; height <= 116; height++) bench.block(height);
  expect(bench.news).toEqual(['taken', 'offered', 'spent', 'over']);
  const before = bench.offered;
  bench.hear({ kind: 'reorg', height: 110 });
  bench.block(111);
  expect([bench.offered, bench.tower.rows[0].state]).toEqual([before + 1, 'due']);
});

describe('an order whose contract is nowhere', () => {
  const { finalBlocks } = regtestRules;
  const gone = () => {
    const bench = new TowerBench();
    bench.fault = 'bad-txns-inputs-missingorspent';
    return bench;
  };

  it('is offered at each block until T, and ever less often from then on', () => {
    const bench = gone();
    expect(bench.offersIn(110, 113)).toBe(4);
    expect(bench.offersIn(114, 113 + finalBlocks - 1)).toBe(finalBlocks - 1);
    const rare = bench.offersIn(113 + finalBlocks, 10_113);
    expect(rare).toBeGreaterThan(0);
    expect(rare).toBeLessThanOrEqual(Math.log2(10_000));
  });

  it('is offered as soon as a block has the contract again, and then at each', () => {
    const bench = gone();
    bench.offersIn(110, 1_000);
    const before = bench.offered;
    bench.contract = 'unspent';
    bench.hear({ kind: 'paid', script: order.contractScript, outpoint, valueSat: 2_000n, height: 1_000 });
    expect(bench.offered).toBe(before + 1);
    expect(bench.offersIn(1_001, 1_050)).toBe(50);
  });

  it('is offered at each block for some time after a reorganisation', () => {
    const bench = gone();
    bench.offersIn(110, 1_000);
    bench.hear({ kind: 'reorg', height: 999 });
    expect(bench.offersIn(1_000, 1_000 + finalBlocks - 1)).toBe(finalBlocks);
  });

  it.each(['unspent', 'spending', 'unknown'] as const)(
    'is not one of which the chain says that the contract is %s: that is offered at each block',
    contract => {
      const bench = gone();
      bench.contract = contract;
      expect(bench.offersIn(110, 500)).toBe(391);
    },
  );
});
