import { createRequire } from 'node:module';
import { expect, it, vi } from 'vitest';
import { partyBatchMax } from '../base/limits.ts';
import { struct, u64 } from '../base/struct.ts';
import type { BrokeredNode } from '../payment/brokered.ts';
import { chooseCoins, coinSum } from '../payment/coins/denominations.ts';
import { Stock } from '../payment/coins/stock.ts';
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
