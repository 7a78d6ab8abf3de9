import { createRequire } from 'node:module';
import { expect, it, vi } from 'vitest';
import { partyBatchMax } from '../base/limits.ts';
import { struct, u64 } from '../base/struct.ts';
import { scriptOfAddress } from '../bitcoin/wallet.ts';
import { AccountHolder, BrokerLab } from '../broker/broker-lab.fixture.ts';
import { plainBody, tillOperation, tillScheme, withdrawBody } from '../broker/money-messages.ts';
import type { BrokeredNode } from '../payment/brokered.ts';
import { chooseCoins, coinSum } from '../payment/coins/denominations.ts';
import { Stock } from '../payment/coins/stock.ts';
import { RecordBook } from '../payment/record-book.ts';
import { CoinWorld } from './coin-peers.fixture.ts';
import { cpay } from './cpay/index.ts';
import { Ring } from './cpay/ring.ts';
import { ppay } from './ppay/index.ts';
import { whopay } from './whopay/index.ts';

const sizes = [10, 100, 1_000];
const native = createRequire(import.meta.url)('secp256k1');
const value = 1_024n;

/** What happens while `run` does: calls of the library that signs, and bytes that parties say to each other. */
function workOf(coins: CoinWorld, run: () => void) {
  const calls = { ecdsaSign: vi.spyOn(native, 'ecdsaSign'), ecdsaVerify: vi.spyOn(native, 'ecdsaVerify') };
  let [requests, bytes] = [0, 0];
  coins.parties.tap = ({ request, reply }) => {
    requests += 1;
    bytes += request.length + (reply?.length ?? 0);
  };
  run();
  coins.parties.tap = undefined;
  const work = {
    signatures: calls.ecdsaSign.mock.calls.length,
    verifications: calls.ecdsaVerify.mock.calls.length,
    requests,
    bytes,
  };
  vi.restoreAllMocks();
  return work;
}

/** How many records are looked at while `run` does. */
function looksOf(run: () => void): number {
  const { entries } = RecordBook.prototype;
  let looked = 0;
  vi.spyOn(RecordBook.prototype, 'entries').mockImplementation(function* (this: RecordBook<unknown>) {
    for (const entry of entries.call(this)) {
      looked += 1;
      yield entry;
    }
  });
  const gets = vi.spyOn(RecordBook.prototype, 'get');
  run();
  looked += gets.mock.calls.length;
  vi.restoreAllMocks();
  return looked;
}

it.each([ppay, whopay, cpay])(
  'what it takes to spend a coin of $name again does not grow with the purse, nor with what its broker has sold',
  scheme => {
    const coins = new CoinWorld(scheme, 'growing');
    const [payer, relay, other] = ['payer', 'relay', 'other'].map(name =>
      coins.peer(name, scheme.variants[0]),
    );
    const works = sizes.map((size, step) => {
      for (let held = sizes[step - 1] ?? 0; held < size; held++) expect(payer.pay(relay, value)).toBe(value);
      return workOf(coins, () => expect(relay.pay(other, value)).toBe(value));
    });
    expect(works[0].signatures).toBeGreaterThan(0);
    expect(works[0].verifications).toBeGreaterThan(0);
    for (const work of works) expect(work).toEqual(works[0]);
  },
  60_000,
);

it.each([ppay, whopay, cpay])('many coins of $name are handed in by few requests', scheme => {
  const coins = new CoinWorld(scheme, 'handed in');
  const [payer, relay] = ['payer', 'relay'].map(name => coins.peer(name, scheme.variants[0]));
  const earned = 40;
  for (let held = 0; held < earned; held++) expect(payer.pay(relay, value)).toBe(value);
  const before = coins.broker.balanceOf(relay);
  const { requests } = workOf(coins, () => relay.do(() => (relay.scheme as BrokeredNode).desk.deposit()));
  expect(coins.broker.balanceOf(relay) - before).toBe(BigInt(earned) * value);
  // Those of CPay are authorised first, in an epoch that each side asks for.
  expect(requests).toBeLessThanOrEqual(1 + 3 * Math.ceil(earned / partyBatchMax));
});

it.each([ppay, whopay, cpay])(
  'what a purse of $name looks at in half a day does not grow with what it had',
  scheme => {
    const coins = new CoinWorld(scheme, 'history');
    const [payer, relay] = ['payer', 'relay'].map(name => coins.peer(name, scheme.variants[0]));
    const halfDayMs = 12 * 3_600_000;
    const before = coins.broker.balanceOf(relay);
    const looks = [2, 50].map((size, step, sizes) => {
      for (let had = sizes[step - 1] ?? 0; had < size; had++) {
        expect(payer.pay(relay, value)).toBe(value);
        relay.do(() => (relay.scheme as BrokeredNode).desk.deposit());
        coins.world.runFor(60_000);
      }
      return looksOf(() => coins.world.runFor(halfDayMs));
    });
    expect(coins.broker.balanceOf(relay) - before).toBe(50n * value);
    // What was bought ahead and is there yet is not the same each time.
    expect(looks[1] - looks[0]).toBeLessThan(48);
  },
);

it('what a block, a deposit and a question take at a till do not grow with what was paid in and out', () => {
  const lab = new BrokerLab('history', []);
  const holder = new AccountHolder(lab, 'holder');
  const script = scriptOfAddress('bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080') as Uint8Array;
  const withdrawal = withdrawBody.encode({ operation: tillOperation.withdraw, sat: 1_000n, script });
  const balance = plainBody.encode({ operation: tillOperation.balance });
  const looks = [2, 20].map((size, step, sizes) => {
    for (let had = sizes[step - 1] ?? 0; had < size; had++) {
      lab.fund(holder, 20_000n);
      expect(lab.ask(holder, tillScheme, lab.request(holder, withdrawal)).fault).toBeUndefined();
      lab.mine();
    }
    // Deep enough to be offered no more.
    for (let blocks = 0; blocks < 110; blocks++) lab.mine();
    return looksOf(() => {
      lab.fund(holder, 20_000n);
      lab.ask(holder, tillScheme, lab.request(holder, balance));
      lab.mine();
    });
  });
  expect(looks[1]).toBe(looks[0]);
});

it('a payment looks at no more coins of a purse than it takes', () => {
  const looks = sizes.map(size => {
    const shelf = (prefix: string) => ({ prefix, kind: struct({ value: u64 }) });
    const stock = new Stock({ list: () => [] }, shelf('in/'), shelf('out/'), coin => coin.value);
    for (let at = 0; at < size; at++) stock.put(`${at}`, { value: 1n << BigInt(at % 10) });
    let looked = 0;
    function* worth(each: bigint) {
      for (const [, coin] of stock.worth(each)) {
        looked += 1;
        yield coin;
      }
    }
    const sum = coinSum(937n, undefined);
    const { coins, missing } = chooseCoins(worth, sum ?? { sum: 0n, grain: 1n });
    expect([missing, looked]).toEqual([0n, coins.length]);
    return looked;
  });
  expect(new Set(looks).size).toBe(1);
});

it('who assists a coin is found by few comparisons, however many may', () => {
  const at = { host: '127.0.0.1', port: 1 };
  const broker = { endpoint: at, key: new Uint8Array(33) };
  for (const size of sizes) {
    let looked = 0;
    const assistants = Array.from({ length: size }, (_, index) => {
      const place = new Uint8Array(8);
      new DataView(place.buffer).setBigUint64(0, (2n ** 64n / BigInt(size)) * BigInt(index));
      const key = new Uint8Array(33).fill(2);
      new DataView(key.buffer).setUint32(1, index);
      return {
        key,
        at,
        get place() {
          looked += 1;
          return place;
        },
      };
    });
    const ring = new Ring({ since: 0, assistants }, broker);
    looked = 0;
    const made = { guid: new Uint8Array(16).fill(size % 251), assistants: 1 };
    expect(ring.assistantsOf(made, broker.key)).toHaveLength(1);
    expect(looked).toBeLessThanOrEqual(Math.ceil(Math.log2(size)) + 1);
    expect(ring.has(assistants[size - 1].key)).toBe(true);
    expect(looked).toBeLessThanOrEqual(Math.ceil(Math.log2(size)) + 1);
  }
});
