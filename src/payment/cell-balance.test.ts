import fc from 'fast-check';
import { expect, test } from 'vitest';
import { freeCells } from '../base/limits.ts';
import { CellBalance } from './cell-balance.ts';
import { cellsFor } from './price.ts';

const oneCellOneMsat = 1n << 20n;

test('free cells serve anything but exits, and the last cell is the last', () => {
  const balance = new CellBalance(oneCellOneMsat);
  expect(balance.paid).toBe(false);
  expect(balance.debitExit(1)).toBe(false);
  for (let i = 0; i < freeCells; i++) expect(balance.debit(1)).toBe(true);
  expect(balance.debit(1)).toBe(false);
  expect(balance.balance).toBe(0);
  expect(balance.credit(3n)).toBe(3n);
  expect(balance.paid).toBe(true);
  expect(balance.debitExit(2)).toBe(true);
  expect(balance.debit(2)).toBe(false);
  expect(balance.debit(1)).toBe(true);
});

test('a free relay keeps no balance', () => {
  const balance = new CellBalance(0n);
  expect(balance.metered).toBe(false);
  expect(balance.paid).toBe(true);
  expect(balance.debit(1_000_000) && balance.debitExit(1_000_000)).toBe(true);
});

test('100,000 payments of one unit buy what one payment of 100,000 buys', () => {
  for (const price of [1n, 7n, oneCellOneMsat / 3n, oneCellOneMsat * 5n + 1n]) {
    const [single, lump] = [new CellBalance(price), new CellBalance(price)];
    for (let i = 0; i < 100_000; i++) single.credit(1n);
    lump.credit(100_000n);
    expect(single.balance).toBe(lump.balance);
  }
});

test('cells granted are always the floor of all value, and never spent twice', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 1n, max: 1n << 40n }),
      fc.array(fc.tuple(fc.constantFrom('credit', 'debit', 'exit'), fc.integer({ min: 0, max: 5_000 })), {
        maxLength: 60,
      }),
      (price, steps) => {
        const balance = new CellBalance(price);
        let value = 0n;
        let spent = 0;
        for (const [kind, amount] of steps) {
          if (kind === 'credit') {
            balance.credit(BigInt(amount));
            value += BigInt(amount);
          } else if (kind === 'debit' ? balance.debit(amount) : balance.debitExit(amount)) spent += amount;
          const granted = Number(cellsFor(value, price));
          expect(balance.balance).toBe(freeCells + granted - spent);
          expect(balance.paidCells).toBeLessThanOrEqual(granted);
        }
      },
    ),
  );
});

test('more value than there are cells grants no cell beyond the largest count', () => {
  const balance = new CellBalance(1n);
  balance.credit(1n << 62n);
  expect(Number.isSafeInteger(balance.balance)).toBe(true);
  expect(balance.credit(1n << 62n)).toBe(0n);
});
