import { Transaction } from 'bitcoinjs-lib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { spentCoinBlocks } from '../base/limits.ts';
import type { ChainPort, StorePort } from '../ports.ts';
import { chooseCoins } from './coin-choice.ts';
import { scriptOfAddress, Wallet } from './wallet.ts';

const contract = new Uint8Array(34).fill(7);
const emptyStore: StorePort = { get: () => undefined, list: () => [], commit() {} };

function newWallet(store = emptyStore) {
  const watched = new Map<string, number>();
  const wallet = new Wallet({ seed: new Uint8Array(32).fill(3), prefix: 'w/' }, store);
  const chain = { watch: (script: Uint8Array, from: number) => watched.set(toHex(script), from) };
  wallet.watch(chain as unknown as ChainPort);
  let count = 0;
  const receive = (valueSat: bigint, height: number) => {
    const outpoint = { txid: new Uint8Array(32).fill(++count), index: 0 };
    wallet.onChain({ kind: 'paid', script: wallet.address.script, outpoint, valueSat, height });
    return outpoint;
  };
  return { wallet, receive, watched };
}

const block = (height: number) => ({ kind: 'block', height, hash: new Uint8Array(32) }) as const;

describe('coin choice', () => {
  const coin = fc.record({
    valueSat: fc.bigInt(294n, 1_000_000n),
    height: fc.option(fc.nat(100), { nil: undefined }),
    own: fc.boolean(),
  });

  it('adds up, pays at least the feerate, and leaves no dust', () => {
    fc.assert(
      fc.property(
        fc.array(coin, { maxLength: 12 }),
        fc.bigInt(5_000n, 2_000_000n),
        fc.bigInt(1_000n, 50_000n),
        (coins, valueSat, satPerKvb) => {
          const choice = chooseCoins(coins, valueSat, satPerKvb);
          if (choice === undefined) {
            const feeSat = (122n * satPerKvb + 999n) / 1000n;
            expect(coins.some(each => each.valueSat >= valueSat + feeSat)).toBe(false);
            return;
          }
          const picked = choice.coins.reduce((sum, each) => sum + each.valueSat, 0n);
          expect(picked).toBe(valueSat + choice.feeSat + choice.changeSat);
          expect(choice.changeSat === 0n || choice.changeSat >= 294n).toBe(true);
          const vsize = 54n + 68n * BigInt(choice.coins.length) + (choice.changeSat > 0n ? 31n : 0n);
          expect(choice.feeSat * 1000n >= vsize * satPerKvb).toBe(true);
          expect(new Set(choice.coins).size).toBe(choice.coins.length);
        },
      ),
    );
  });

  it('takes one confirmed coin before several, change after all others, and unconfirmed change last', () => {
    const coins = [
      { valueSat: 50_000n, height: undefined, own: true },
      { valueSat: 9_000n, height: 1, own: false },
      { valueSat: 40_000n, height: 2, own: false },
      { valueSat: 20_000n, height: 3, own: false },
    ];
    expect(chooseCoins(coins, 10_000n, 1_000n)?.coins).toEqual([coins[3]]);
    expect(chooseCoins(coins, 45_000n, 1_000n)?.coins).toEqual([coins[2], coins[3]]);
    expect(chooseCoins(coins.slice(0, 2), 45_000n, 1_000n)?.coins).toEqual([coins[0]]);
    expect(chooseCoins(coins, 200_000n, 1_000n)).toBeUndefined();
    const change = { valueSat: 15_000n, height: 4, own: true };
    expect(chooseCoins([change, ...coins], 10_000n, 1_000n)?.coins).toEqual([coins[3]]);
    expect(chooseCoins([change, coins[1]], 10_000n, 1_000n)?.coins).toEqual([change]);
  });
});

describe('wallet', () => {
  it('funds a contract, reserves its coin and counts its change', () => {
    const { wallet, receive } = newWallet();
    const coin = receive(100_000n, 5);
    const funded = wallet.fund(contract, 30_000n, 2_000n);
    if (!funded.ok) throw new Error(funded.fault.code);
    const { transaction, outpoint, feeSat } = funded.value;
    expect(transaction.outs[outpoint.index]).toMatchObject({ value: 30_000n });
    expect(wallet.balance).toEqual({ confirmedSat: 0n, unconfirmedSat: 70_000n - feeSat });
    expect(Number(feeSat)).toBeGreaterThanOrEqual(transaction.virtualSize() * 2);
    expect(Number(feeSat)).toBeLessThan(transaction.virtualSize() * 2 + 10);
    const change = { txid: transaction.getHash(), index: 1 };
    wallet.onChain({ kind: 'spent', outpoint: coin, transaction: transaction.toBuffer(), height: 6 });
    wallet.onChain({
      kind: 'paid',
      script: transaction.outs[1].script,
      outpoint: change,
      valueSat: transaction.outs[1].value,
      height: 6,
    });
    expect(wallet.balance).toEqual({ confirmedSat: 70_000n - feeSat, unconfirmedSat: 0n });
  });

  it('knows its change again after a restart', () => {
    const before = newWallet();
    const coin = before.receive(100_000n, 5);
    const funded = before.wallet.fund(contract, 30_000n, 2_000n);
    if (!funded.ok) throw new Error(funded.fault.code);
    const { transaction } = funded.value;
    const after = newWallet();
    after.receive(100_000n, 5);
    after.wallet.onChain({ kind: 'spent', outpoint: coin, transaction: transaction.toBuffer(), height: 6 });
    const [, { script, value: valueSat }] = transaction.outs;
    const change = { txid: transaction.getHash(), index: 1 };
    after.wallet.onChain({ kind: 'paid', script, outpoint: change, valueSat, height: 6 });
    expect(after.wallet.coins.map(({ own }) => own)).toEqual([false, true]);
  });

  it('spends no change of a transaction that may never be sent', () => {
    const { wallet, receive } = newWallet();
    receive(100_000n, 5);
    const funded = wallet.fund(contract, 30_000n, 2_000n);
    if (!funded.ok) throw new Error(funded.fault.code);
    const { transaction } = funded.value;
    expect(wallet.fund(contract, 30_000n, 2_000n)).toMatchObject({ fault: { code: 'WALLET_NO_FUNDS' } });
    wallet.adopt(transaction);
    const next = wallet.fund(contract, 30_000n, 2_000n);
    expect(next.ok && next.value.transaction.ins.map(({ hash }) => toHex(hash))).toEqual([
      toHex(transaction.getHash()),
    ]);
  });

  it('frees the coins of a transaction that is never sent', () => {
    const { wallet, receive } = newWallet();
    receive(100_000n, 5);
    const funded = wallet.fund(contract, 30_000n, 2_000n);
    if (funded.ok) wallet.release(funded.value.transaction);
    expect(wallet.balance).toEqual({ confirmedSat: 100_000n, unconfirmedSat: 0n });
  });

  it('says what is missing', () => {
    const { wallet, receive } = newWallet();
    receive(10_000n, 5);
    expect(wallet.fund(contract, 30_000n, 2_000n)).toMatchObject({
      ok: false,
      fault: { code: 'WALLET_NO_FUNDS' },
    });
  });

  it('forgets coins that a reorganisation took, and remembers its own spending', () => {
    const { wallet, receive } = newWallet();
    receive(100_000n, 5);
    receive(50_000n, 8);
    const funded = wallet.fund(contract, 60_000n, 2_000n);
    if (!funded.ok) throw new Error(funded.fault.code);
    const bytes = funded.value.transaction.toBuffer();
    const outpoint = { txid: new Uint8Array(32).fill(1), index: 0 };
    wallet.onChain({ kind: 'spent', outpoint, transaction: bytes, height: 9 });
    wallet.onChain({ kind: 'reorg', height: 6 });
    expect(wallet.balance.confirmedSat).toBe(0n);
    expect(wallet.coins.find(coin => coin.outpoint.txid[0] === 1)?.spentBy).toBeDefined();
    wallet.release(Transaction.fromBuffer(bytes));
    expect(wallet.balance).toEqual({ confirmedSat: 100_000n, unconfirmedSat: 0n });
  });

  it('forgets coins that were spent long ago, and looks for all again when the chain goes back that far', () => {
    const { wallet, receive, watched } = newWallet();
    const outpoint = receive(100_000n, 5);
    const funded = wallet.fund(contract, 30_000n, 2_000n);
    if (!funded.ok) throw new Error(funded.fault.code);
    const spent = { kind: 'spent', outpoint, transaction: funded.value.transaction.toBuffer() } as const;
    wallet.onChain({ ...spent, height: 9 });
    wallet.onChain(block(8 + spentCoinBlocks));
    expect(wallet.has(outpoint)).toBe(true);
    wallet.onChain(block(9 + spentCoinBlocks));
    expect(wallet.has(outpoint)).toBe(false);
    watched.clear();
    wallet.onChain({ kind: 'reorg', height: 9 });
    expect(watched.size).toBe(0);
    wallet.onChain({ kind: 'reorg', height: 8 });
    expect(watched.size).toBe(wallet.watchedAddresses);
  });

  it('finds its coins again from the seed alone, beyond the first gap', () => {
    const { wallet } = newWallet();
    const taken = Array.from({ length: 30 }, () => wallet.takeAddress());
    const restored = newWallet();
    restored.wallet.onChain(block(500));
    for (const index of [15, 29]) {
      const { script } = taken[index];
      expect(restored.watched.get(toHex(script))).toBe(0);
      const outpoint = { txid: new Uint8Array(32).fill(index), index: 0 };
      restored.wallet.onChain({ kind: 'paid', script, outpoint, valueSat: 1_000n, height: index });
    }
    expect(restored.wallet.balance.confirmedSat).toBe(2_000n);
    expect(restored.wallet.takeAddress().index).toBe(30);
  });

  it('looks for keys that it newly hands out from the tip on', () => {
    const { wallet, watched } = newWallet();
    wallet.onChain(block(700));
    wallet.takeAddress();
    expect([...watched.values()].filter(height => height === 700)).toHaveLength(1);
  });

  it('counts on after a restart from its record', () => {
    const { wallet } = newWallet();
    wallet.takeAddress();
    const [write] = wallet.takeAddress().writes;
    const store: StorePort = { ...emptyStore, get: key => (key === write.key ? write.value : undefined) };
    expect(newWallet(store).wallet.address.index).toBe(2);
  });

  it('shows no address that would be unknown after a crash', () => {
    const records = new Map<string, Uint8Array>();
    const { wallet, receive } = newWallet({ ...emptyStore, get: key => records.get(key) });
    receive(1_000n, 1);
    wallet.onChain(block(1));
    expect(wallet.address.index).toBe(0);
    for (const { key, value } of wallet.unkeptWrites()) if (value !== undefined) records.set(key, value);
    expect(wallet.address.index).toBe(1);
    const [offered] = [wallet.address.script];
    for (const { key, value } of wallet.taken(offered)) if (value !== undefined) records.set(key, value);
    expect(wallet.address.index).toBe(2);
    expect(wallet.taken(offered)).toEqual([]);
  });

  it('promises again what was promised for nothing, to one peer', () => {
    const records = new Map<string, Uint8Array>();
    const { wallet } = newWallet({ ...emptyStore, get: key => records.get(key) });
    const take = (): Uint8Array => {
      const { script } = wallet.addressToPromise;
      for (const { key, value } of wallet.taken(script)) if (value !== undefined) records.set(key, value);
      return script;
    };
    const [first, second] = [take(), take()];
    expect(second).not.toEqual(first);
    wallet.giveBack(first);
    expect(wallet.address.index).toBe(2);
    expect(take()).toEqual(first);
    expect([first, second]).not.toContainEqual(take());
    wallet.giveBack(new Uint8Array(22));
    expect(wallet.addressToPromise).toEqual(wallet.address);
  });
});

describe('an address', () => {
  it('is none when it is longer than any', () => {
    expect(scriptOfAddress('bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080')).toHaveLength(22);
    expect(scriptOfAddress('1'.repeat(100_000))).toBeUndefined();
  });
});
