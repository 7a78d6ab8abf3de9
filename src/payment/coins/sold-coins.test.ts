import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coinsForgottenMax } from '../../base/limits.ts';
import { struct, u8, u32, u64 } from '../../base/struct.ts';
import type { StoreWrite } from '../../ports.ts';
import { daySeconds } from './coin-times.ts';
import { SoldCoins } from './sold-coins.ts';

const prefix = 'test/coin/';
const kind = struct({
  coin: struct({ value: u64, expirySeconds: u32 }),
  deposited: u8,
  askedSeconds: u64,
});

class Disk {
  readonly records = new Map<string, Uint8Array>();

  list(under: string): [string, Uint8Array][] {
    return [...this.records].filter(([key]) => key.startsWith(under));
  }

  write(writes: readonly StoreWrite[]): void {
    for (const { key, value } of writes)
      if (value === undefined) this.records.delete(key);
      else this.records.set(key, value);
  }

  open() {
    return new SoldCoins(this, prefix, kind);
  }
}

const act = fc.oneof(
  fc.record({
    kind: fc.constant('sold' as const),
    value: fc.bigInt({ min: 1n, max: 100n }),
    day: fc.integer({ min: 0, max: 20 }),
  }),
  fc.record({
    kind: fc.constantFrom('handed in' as const, 'asked' as const, 'answered' as const),
    which: fc.nat(9),
  }),
  fc.record({ kind: fc.constant('day' as const), days: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ kind: fc.constant('restart' as const) }),
);

describe('coins that were sold', () => {
  it('are worth what was sold and neither came back nor was given back, in whatever order that is', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), acts => {
        const disk = new Disk();
        let coins = disk.open();
        let [now, begun, named, given] = [0, undefined as number | undefined, 0, 0n];
        let [sold, back] = [0n, 0n];
        for (const each of acts) {
          if (each.kind === 'sold') {
            const coin = { value: each.value, expirySeconds: now + each.day * daySeconds };
            disk.write([coins.put(`${named++}`, { coin, deposited: 0, askedSeconds: 0n })]);
            sold += each.value;
          } else if (each.kind === 'day') {
            now += each.days * daySeconds;
            begun ??= now;
            disk.write(
              coins.forget(now, ({ coin, deposited }) => {
                expect(coin.expirySeconds).toBeLessThan(now);
                expect(now).toBeGreaterThanOrEqual((begun ?? now) + daySeconds);
                if (deposited === 0) given += coin.value;
                return [];
              }),
            );
          } else if (each.kind === 'restart') {
            coins = disk.open();
            begun = undefined;
          } else {
            const record = coins.get(`${each.which}`);
            if (record === undefined) continue;
            if (each.kind === 'handed in' && record.deposited === 0) back += record.coin.value;
            const changed = {
              'handed in': { deposited: 1 },
              asked: { askedSeconds: 1n },
              answered: { askedSeconds: 0n },
            };
            disk.write([coins.put(`${each.which}`, { ...record, ...changed[each.kind] })]);
          }
          expect(coins.outstandingMsat).toBe(sold - back - given);
          expect(disk.open().outstandingMsat).toBe(coins.outstandingMsat);
        }
      }),
    );
  });

  const many = (count: number) => {
    const disk = new Disk();
    const coins = disk.open();
    const coin = { value: 1n, expirySeconds: daySeconds };
    for (let each = 0; each < count; each++)
      disk.write([coins.put(`${each}`, { coin, deposited: 1, askedSeconds: 0n })]);
    expect(coins.forget(5 * daySeconds, () => [])).toEqual([]);
    return coins;
  };

  it('are forgotten a few at a time', () => {
    const coins = many(2 * coinsForgottenMax + 1);
    const counts = [0, 1, 2, 3].map(() => coins.forget(6 * daySeconds, () => []).length);
    expect(counts).toEqual([coinsForgottenMax, coinsForgottenMax, 1, 0]);
  });

  it('are looked at again a day later when they are kept, and no sooner', () => {
    const coins = many(3);
    let looked = 0;
    const look = () => void looked++;
    for (const [day, times] of [
      [6, 3],
      [6, 3],
      [7, 6],
    ]) {
      coins.forget(day * daySeconds, look as () => undefined);
      expect(looked).toBe(times);
    }
    expect(coins.forget(8 * daySeconds, () => [])).toHaveLength(3);
  });

  it('are not forgotten while somebody is asked about them', () => {
    const coins = many(1);
    const record = coins.get('0');
    if (record === undefined) throw new Error('it is there');
    coins.put('0', { ...record, askedSeconds: 7n });
    expect(coins.forget(6 * daySeconds, () => [])).toEqual([]);
    coins.put('0', record);
    expect(coins.forget(8 * daySeconds, () => [])).toHaveLength(1);
  });
});
