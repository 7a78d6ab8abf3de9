import { assert } from '../base/assert.ts';
import { fromHex, toHex } from '../base/bytes.ts';
import { fixedBytes, type Holds, struct, u64 } from '../base/struct.ts';
import type { AccountKey, Accounts } from '../payment/broker-side.ts';
import { RecordBook } from '../payment/record-book.ts';
import type { Value } from '../payment/scheme.ts';
import { publicKeyBytes } from '../payment/statement.ts';
import type { StorePort, StoreWrite } from '../ports.ts';

interface Balance {
  readonly heldMsat: Value;
  /** Not more than 0 beside money that is held, but at the house. */
  readonly owedMsat: Value;
}

const accountField = fixedBytes(publicKeyBytes);
const balanceRecord = struct({ heldMsat: u64, owedMsat: u64 });
const noBalance: Balance = { heldMsat: 0n, owedMsat: 0n };
const coinsRecord = struct({ issuedMsat: u64, depositedMsat: u64 });
/** Of what an account owes, what it owes another than the house. */
const debtRecord = struct({ debtor: accountField, creditor: accountField, msat: u64 });
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
  /** By the same; the house may hold less than nothing, where a deposit came undone that was spent. */
  readonly heldMsat: ReadonlyMap<string, Value>;
  readonly schemes: ReadonlyMap<number, IssuedCoins>;
}

const nothing = 'all';

/** Who has how much at the broker. Every change keeps the sum, or is a Bitcoin transaction. */
export class AccountBook implements Accounts {
  readonly #house: string;
  readonly #balances: RecordBook<Balance>;
  /** By hex of debtor and creditor. */
  readonly #debts: RecordBook<Holds<typeof debtRecord>>;
  readonly #coins: RecordBook<IssuedCoins>;
  readonly #chain: RecordBook<{ readonly receivedMsat: Value; readonly paidOutMsat: Value }>;

  /** @param house the broker's own account, which fines go to. */
  constructor(store: Pick<StorePort, 'list'>, house: AccountKey) {
    this.#house = toHex(house);
    this.#balances = new RecordBook(store, 'broker/balance/', balanceRecord);
    this.#debts = new RecordBook(store, 'broker/debt/', debtRecord);
    this.#coins = new RecordBook(store, 'broker/coins/', coinsRecord);
    this.#chain = new RecordBook(store, 'broker/chain/', chainRecord);
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
    return this.#demand(toHex(account), msat, to && toHex(to));
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

  get #chainSums() {
    return this.#chain.get(nothing) ?? { receivedMsat: 0n, paidOutMsat: 0n };
  }

  #coinsOf(scheme: number): IssuedCoins {
    return this.#coins.get(String(scheme)) ?? { issuedMsat: 0n, depositedMsat: 0n };
  }

  /** What an account owes is paid first, to whom it wronged and then to the house. */
  #give(id: string, msat: Value): readonly StoreWrite[] {
    const { heldMsat, owedMsat } = this.#balances.get(id) ?? noBalance;
    const repaid = owedMsat < msat ? owedMsat : msat;
    const kept = { heldMsat: heldMsat + msat - repaid, owedMsat: owedMsat - repaid };
    const records = [this.#balances.put(id, kept)];
    if (repaid > 0n && id !== this.#house) records.push(...this.#repay(id, repaid));
    return records;
  }

  #repay(debtor: string, msat: Value): readonly StoreWrite[] {
    const writes: StoreWrite[] = [];
    let left = msat;
    for (const [name, debt] of this.#debts.entries()) {
      if (left === 0n) break;
      if (toHex(debt.debtor) !== debtor) continue;
      const paid = debt.msat < left ? debt.msat : left;
      left -= paid;
      writes.push(
        paid === debt.msat
          ? this.#debts.drop(name)
          : this.#debts.put(name, { ...debt, msat: debt.msat - paid }),
        ...this.#give(toHex(debt.creditor), paid),
      );
    }
    return left === 0n ? writes : [...writes, ...this.#give(this.#house, left)];
  }

  /** It has as much. */
  #take(id: string, msat: Value): readonly StoreWrite[] {
    const { heldMsat, owedMsat } = this.#balances.get(id) ?? noBalance;
    return [this.#balances.put(id, { heldMsat: heldMsat - msat, owedMsat })];
  }

  /** What the account has, and the rest when it has something again. What it has not is not there to be lent. */
  #demand(id: string, msat: Value, creditor = this.#house): readonly StoreWrite[] {
    if (id === this.#house || id === creditor) return [];
    const { heldMsat, owedMsat } = this.#balances.get(id) ?? noBalance;
    const taken = heldMsat < msat ? heldMsat : msat;
    const left = { heldMsat: heldMsat - taken, owedMsat: owedMsat + msat - taken };
    const owes = creditor === this.#house ? [] : this.#owe(id, creditor, msat - taken);
    return [this.#balances.put(id, left), ...owes, ...this.#give(creditor, taken)];
  }

  #owe(debtor: string, creditor: string, msat: Value): readonly StoreWrite[] {
    if (msat === 0n) return [];
    const name = `${debtor}-${creditor}`;
    const known = this.#debts.get(name)?.msat ?? 0n;
    const [from, to] = [fromHex(debtor), fromHex(creditor)];
    assert(from !== undefined && to !== undefined, 'accounts are named in hex');
    return [this.#debts.put(name, { debtor: from, creditor: to, msat: known + msat })];
  }

  /** To the chain, which took a deposit back: for what was spent of it meanwhile the house stands in, and the account owes it. */
  #giveBack(id: string, msat: Value): readonly StoreWrite[] {
    const demanded = this.#demand(id, msat);
    const { heldMsat, owedMsat } = this.#balances.get(this.#house) ?? noBalance;
    const balance = heldMsat - owedMsat - msat;
    const [held, owed] = balance < 0n ? [0n, -balance] : [balance, 0n];
    return [...demanded, this.#balances.put(this.#house, { heldMsat: held, owedMsat: owed })];
  }
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
