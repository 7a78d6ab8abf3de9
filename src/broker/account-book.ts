import { assert } from '../base/assert.ts';
import { fromUtf8, toHex, utf8 } from '../base/bytes.ts';
import { sizedBytes, struct, u8, u64 } from '../base/struct.ts';
import type { AccountKey, Accounts } from '../payment/broker-side.ts';
import { RecordBook } from '../payment/record-book.ts';
import type { Value } from '../payment/scheme.ts';
import type { StorePort, StoreWrite } from '../ports.ts';

interface Balance {
  readonly heldMsat: Value;
  readonly owedMsat: Value;
}

/** Part of what an account owes: to another than the house. Accounts by the hex of their keys. */
interface Debt {
  readonly debtor: Uint8Array;
  readonly creditor: Uint8Array;
  readonly msat: Value;
}

const balanceRecord = struct({ heldMsat: u64, owedMsat: u64 });
const noBalance: Balance = { heldMsat: 0n, owedMsat: 0n };
const coinsRecord = struct({ issuedMsat: u64, depositedMsat: u64 });
const debtRecord = struct({ debtor: sizedBytes(u8), creditor: sizedBytes(u8), msat: u64 });
/** What is repaid may repay the next: so often, since accounts may owe each other in a circle. */
const repaymentsMax = 4;
const chainRecord = struct({ receivedMsat: u64, paidOutMsat: u64 });

/** E-coins of one scheme: what was sold, and what has come back. The rest is held by somebody. */
export interface IssuedCoins {
  readonly issuedMsat: Value;
  readonly depositedMsat: Value;
}

/**
 * A broker's books at one moment. In order: received = paid out + held + issued - deposited. What somebody owes is nobody's money
 * until it is paid.
 */
export interface Books {
  /** By Bitcoin transactions, those that are confirmed deep enough. */
  readonly receivedMsat: Value;
  /** By Bitcoin transactions, their fees included. */
  readonly paidOutMsat: Value;
  /** By hex of the account's key; below 0: owed. */
  readonly balancesMsat: ReadonlyMap<string, Value>;
  /** By the same; the house may hold less than nothing: for a deposit that came undone after it was spent, and fees that it added. */
  readonly heldMsat: ReadonlyMap<string, Value>;
  readonly schemes: ReadonlyMap<number, IssuedCoins>;
}

const nothing = 'all';

/** Who has how much at the broker. Every change keeps the sum, or is a Bitcoin transaction. */
export class AccountBook implements Accounts {
  readonly #house: string;
  readonly #balances: RecordBook<Balance>;
  readonly #coins: RecordBook<IssuedCoins>;
  readonly #debts: RecordBook<Debt>;
  /** Names of debts, by debtor. */
  readonly #debtsOf = new Map<string, Set<string>>();
  readonly #chain: RecordBook<{ readonly receivedMsat: Value; readonly paidOutMsat: Value }>;

  /** @param house the broker's own account, which fines go to. */
  constructor(store: Pick<StorePort, 'list'>, house: AccountKey) {
    this.#house = toHex(house);
    this.#balances = new RecordBook(store, 'broker/balance/', balanceRecord);
    this.#coins = new RecordBook(store, 'broker/coins/', coinsRecord);
    this.#chain = new RecordBook(store, 'broker/chain/', chainRecord);
    this.#debts = new RecordBook(store, 'broker/debt/', debtRecord);
    for (const [name, { debtor }] of this.#debts.entries()) this.#namesOf(fromUtf8(debtor)).add(name);
  }

  get books(): Books {
    const all = [...this.#balances.entries()];
    const held = (id: string, { heldMsat, owedMsat }: Balance) =>
      id === this.#house ? heldMsat - owedMsat : heldMsat;
    return {
      ...this.#chainSums,
      balancesMsat: new Map(all.map(([id, { heldMsat, owedMsat }]) => [id, heldMsat - owedMsat])),
      heldMsat: new Map(all.map(([id, balance]) => [id, held(id, balance)])),
      schemes: new Map([...this.#coins.entries()].map(([scheme, coins]) => [Number(scheme), coins])),
    };
  }

  balanceMsat(account: AccountKey): Value | undefined {
    const balance = this.#balances.get(toHex(account));
    return balance && balance.heldMsat - balance.owedMsat;
  }

  issue(scheme: number, account: AccountKey, msat: Value): readonly StoreWrite[] | undefined {
    assert(msat > 0n, 'coins are worth something');
    const balance = this.balanceMsat(account);
    if (balance === undefined || balance < msat) return undefined;
    const { issuedMsat, depositedMsat } = this.#coinsOf(scheme);
    return [
      ...this.#take(toHex(account), msat),
      this.#coins.put(String(scheme), { issuedMsat: issuedMsat + msat, depositedMsat }),
    ];
  }

  deposit(scheme: number, account: AccountKey, msat: Value): readonly StoreWrite[] {
    assert(msat >= 0n, 'coins are worth no less than nothing');
    const { issuedMsat, depositedMsat } = this.#coinsOf(scheme);
    assert(depositedMsat + msat <= issuedMsat, 'no more comes back than was sold');
    return [
      ...this.#give(toHex(account), msat),
      this.#coins.put(String(scheme), { issuedMsat, depositedMsat: depositedMsat + msat }),
    ];
  }

  charge(account: AccountKey, msat: Value, to?: AccountKey): readonly StoreWrite[] {
    assert(msat >= 0n, 'a fine takes');
    return this.#demand(toHex(account), msat, to === undefined ? this.#house : toHex(to));
  }

  /** An account without money, if there is none of this key. */
  open(account: AccountKey): readonly StoreWrite[] {
    const id = toHex(account);
    return this.#balances.get(id) === undefined ? [this.#balances.put(id, noBalance)] : [];
  }

  /** A Bitcoin transaction pays to the account. Less than 0: one that did is undone. */
  receive(account: AccountKey, msat: Value): readonly StoreWrite[] {
    const { receivedMsat, paidOutMsat } = this.#chainSums;
    return [
      ...(msat < 0n ? this.#giveBack(toHex(account), -msat) : this.#give(toHex(account), msat)),
      this.#chain.put(nothing, { receivedMsat: receivedMsat + msat, paidOutMsat }),
    ];
  }

  /** A Bitcoin transaction pays out, fee included. Undefined: the account has not as much. */
  payOut(account: AccountKey, msat: Value): readonly StoreWrite[] | undefined {
    const balance = this.balanceMsat(account);
    if (balance === undefined || balance < msat) return undefined;
    const { receivedMsat, paidOutMsat } = this.#chainSums;
    return [
      ...this.#take(toHex(account), msat),
      this.#chain.put(nothing, { receivedMsat, paidOutMsat: paidOutMsat + msat }),
    ];
  }

  /** The broker's own share of a miner's fee: the house pays, and owes what it has not. */
  payFee(msat: Value): readonly StoreWrite[] {
    const { receivedMsat, paidOutMsat } = this.#chainSums;
    return [
      this.#takeFromHouse(msat),
      this.#chain.put(nothing, { receivedMsat, paidOutMsat: paidOutMsat + msat }),
    ];
  }

  get #chainSums() {
    return this.#chain.get(nothing) ?? { receivedMsat: 0n, paidOutMsat: 0n };
  }

  #coinsOf(scheme: number): IssuedCoins {
    return this.#coins.get(String(scheme)) ?? { issuedMsat: 0n, depositedMsat: 0n };
  }

  /** What an account owes is paid first: to whom it owes, and then to the house. */
  #give(id: string, msat: Value, repayments = repaymentsMax): readonly StoreWrite[] {
    const { heldMsat, owedMsat } = this.#balances.get(id) ?? noBalance;
    const all = heldMsat + msat;
    const repaid = repayments === 0 ? 0n : least(owedMsat, all);
    const records = [this.#balances.put(id, { heldMsat: all - repaid, owedMsat: owedMsat - repaid })];
    if (id === this.#house) return records;
    let left = repaid;
    for (const name of left > 0n ? [...this.#namesOf(id)] : []) {
      const debt = this.#debts.get(name);
      if (debt === undefined || left === 0n) continue;
      const part = least(left, debt.msat);
      left -= part;
      records.push(this.#owes(debt, -part));
      records.push(...this.#give(fromUtf8(debt.creditor), part, repayments - 1));
    }
    if (left > 0n) records.push(...this.#give(this.#house, left));
    return records;
  }

  /** So much more than before, or less. */
  #owes({ debtor, creditor }: Pick<Debt, 'debtor' | 'creditor'>, msat: Value): StoreWrite {
    const name = `${fromUtf8(debtor)}/${fromUtf8(creditor)}`;
    const sum = (this.#debts.get(name)?.msat ?? 0n) + msat;
    const names = this.#namesOf(fromUtf8(debtor));
    if (sum > 0n) {
      names.add(name);
      return this.#debts.put(name, { debtor, creditor, msat: sum });
    }
    names.delete(name);
    if (names.size === 0) this.#debtsOf.delete(fromUtf8(debtor));
    return this.#debts.drop(name);
  }

  #namesOf(debtor: string): Set<string> {
    const names = this.#debtsOf.get(debtor) ?? new Set<string>();
    this.#debtsOf.set(debtor, names);
    return names;
  }

  /** It has as much. */
  #take(id: string, msat: Value): readonly StoreWrite[] {
    const { heldMsat, owedMsat } = this.#balances.get(id) ?? noBalance;
    return [this.#balances.put(id, { heldMsat: heldMsat - msat, owedMsat })];
  }

  /** For `to`: what the account has, and the rest when it has something again. What it has not is not there to be lent. */
  #demand(id: string, msat: Value, to = this.#house): readonly StoreWrite[] {
    if (id === this.#house || id === to) return [];
    const { heldMsat, owedMsat } = this.#balances.get(id) ?? noBalance;
    const taken = least(heldMsat, msat);
    const records = [
      this.#balances.put(id, { heldMsat: heldMsat - taken, owedMsat: owedMsat + msat - taken }),
    ];
    if (taken < msat && to !== this.#house)
      records.push(this.#owes({ debtor: utf8(id), creditor: utf8(to) }, msat - taken));
    return [...records, ...this.#give(to, taken)];
  }

  /** To the chain, which took a deposit back: for what was spent of it meanwhile the house stands in, and the account owes it. */
  #giveBack(id: string, msat: Value): readonly StoreWrite[] {
    return [...this.#demand(id, msat), this.#takeFromHouse(msat)];
  }

  #takeFromHouse(msat: Value): StoreWrite {
    const { heldMsat, owedMsat } = this.#balances.get(this.#house) ?? noBalance;
    const balance = heldMsat - owedMsat - msat;
    const [held, owed] = balance < 0n ? [0n, -balance] : [balance, 0n];
    return this.#balances.put(this.#house, { heldMsat: held, owedMsat: owed });
  }
}

function least(a: Value, b: Value): Value {
  return a < b ? a : b;
}

/** What of the books does not agree with itself, one line each. */
export function bookProblems(books: Books, outstandingMsat: ReadonlyMap<number, Value>): readonly string[] {
  const problems: string[] = [];
  let covered = books.paidOutMsat;
  for (const held of books.heldMsat.values()) covered += held;
  for (const [scheme, { issuedMsat, depositedMsat }] of books.schemes) {
    const held = issuedMsat - depositedMsat;
    covered += held;
    const counted = outstandingMsat.get(scheme) ?? 0n;
    if (counted !== held)
      problems.push(
        `scheme ${scheme}: ${issuedMsat} msat issued and ${depositedMsat} deposited, but ${counted} outstanding`,
      );
  }
  if (covered !== books.receivedMsat)
    problems.push(`${books.receivedMsat} msat received, but ${covered} accounted for`);
  return problems;
}
