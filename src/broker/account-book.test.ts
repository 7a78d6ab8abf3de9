import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoreWrite } from '../ports.ts';
import { AccountBook, bookProblems } from './account-book.ts';

const house = new Uint8Array(33).fill(9);
const keys = [1, 2, 3].map(byte => new Uint8Array(33).fill(byte));
const scheme = 7;

function newBook(): AccountBook {
  return new AccountBook({ list: () => [] }, house);
}

/** One scheme, of whose coins the books alone tell. */
function problems({ books }: AccountBook): readonly string[] {
  const { issuedMsat, depositedMsat } = books.schemes.get(scheme) ?? { issuedMsat: 0n, depositedMsat: 0n };
  return bookProblems(books, new Map([[scheme, issuedMsat - depositedMsat]]));
}

describe('accounts', () => {
  const step = fc.record({
    what: fc.constantFrom('receive', 'undo', 'payOut', 'issue', 'deposit', 'charge'),
    whose: fc.constantFrom(...keys, house),
    to: fc.constantFrom(...keys, undefined),
    msat: fc.bigInt(1n, 1_000n),
  });

  it('add up to what came by transactions, and let nobody spend what is owed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const book = newBook();
        const received = new Map<Uint8Array, bigint[]>();
        for (const { what, whose, to, msat } of steps) {
          const { issuedMsat, depositedMsat } = book.books.schemes.get(scheme) ?? {
            issuedMsat: 0n,
            depositedMsat: 0n,
          };
          if (what === 'receive') {
            book.receive(whose, msat);
            received.set(whose, [...(received.get(whose) ?? []), msat]);
          } else if (what === 'undo') book.receive(whose, -(received.get(whose)?.pop() ?? 0n));
          else if (what === 'payOut') book.payOut(whose, msat);
          else if (what === 'issue') book.issue(scheme, whose, msat);
          else if (what === 'charge') book.charge(whose, msat, to);
          else if (depositedMsat + msat <= issuedMsat) book.deposit(scheme, whose, msat);
          expect(problems(book)).toEqual([]);
          for (const key of keys) {
            const held = book.books.heldMsat.get(Buffer.from(key).toString('hex')) ?? 0n;
            expect(held >= 0n && (book.balanceMsat(key) ?? 0n) <= held).toBe(true);
          }
        }
      }),
    );
  });

  it('pay those whom one wronged as far as it has something, then when it has, and go on to whom these owe, in every life', () => {
    const disk = new Map<string, Uint8Array>();
    const list = (prefix: string) => [...disk].filter(([key]) => key.startsWith(prefix));
    let book = new AccountBook({ list }, house);
    const keep = (writes: readonly StoreWrite[]) => {
      for (const { key, value } of writes)
        if (value === undefined) disk.delete(key);
        else disk.set(key, value);
      book = new AccountBook({ list }, house);
      expect(problems(book)).toEqual([]);
    };
    const [thief, first, second] = keys;
    const balances = () => [thief, first, second, house].map(key => book.balanceMsat(key) ?? 0n);
    keep(book.receive(thief, 100n));
    keep(book.charge(thief, 150n, first));
    keep(book.charge(thief, 5n));
    keep(book.charge(thief, 60n, second));
    expect(balances()).toEqual([-115n, 100n, 0n, 0n]);
    // The house comes last.
    keep(book.receive(thief, 110n));
    expect(balances()).toEqual([-5n, 150n, 60n, 0n]);
    keep(book.charge(first, 200n, second));
    keep(book.charge(second, 300n, thief));
    expect(balances()).toEqual([205n, -50n, -90n, 5n]);
    // What comes to the first is the second's, and so the third's.
    keep(book.receive(first, 60n));
    expect(balances()).toEqual([255n, 10n, -40n, 5n]);
    keep(book.receive(second, 100n));
    expect(balances()).toEqual([295n, 10n, 60n, 5n]);
  });

  it('make nobody richer by what an empty one owes, until it is paid', () => {
    const book = newBook();
    const [debtor] = keys;
    book.receive(house, 500n);
    book.receive(debtor, 100n);
    book.charge(debtor, 1_000n);
    expect([book.balanceMsat(debtor), book.balanceMsat(house)]).toEqual([-900n, 600n]);
    book.receive(debtor, 300n);
    expect([book.balanceMsat(debtor), book.balanceMsat(house)]).toEqual([-600n, 900n]);
    book.receive(debtor, 700n);
    expect([book.balanceMsat(debtor), book.balanceMsat(house)]).toEqual([100n, 1_500n]);
    expect(problems(book)).toEqual([]);
  });

  it('go round in no circle of debts', () => {
    const book = newBook();
    const [a, b] = keys;
    book.charge(a, 1_000_000_000n, b);
    book.charge(b, 1_000_000_000n, a);
    book.receive(a, 1n);
    expect(problems(book)).toEqual([]);
  });

  it('have the house stand in for a deposit that came undone after it was spent, and no other account', () => {
    const book = newBook();
    const [spender, other] = keys;
    book.receive(other, 1_000n);
    book.receive(spender, 400n);
    expect(book.payOut(spender, 400n)).toBeDefined();
    book.receive(spender, -400n);
    expect(book.balanceMsat(spender)).toBe(-400n);
    expect(book.balanceMsat(house)).toBe(-400n);
    expect(book.balanceMsat(other)).toBe(1_000n);
    book.receive(spender, 400n);
    expect([book.balanceMsat(spender), book.balanceMsat(house)]).toEqual([0n, 0n]);
    expect(problems(book)).toEqual([]);
  });
});
