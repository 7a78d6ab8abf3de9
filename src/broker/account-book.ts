import { assert } from '../base/assert.ts';
import { toHex } from '../base/bytes.ts';
import { struct, u64 } from '../base/struct.ts';
import type { AccountKey, Accounts } from '../payment/broker-side.ts';
import { RecordBook } from '../payment/record-book.ts';
import type { Value } from '../payment/scheme.ts';
import type { StorePort, StoreWrite } from '../ports.ts';

const balanceRecord = struct({ heldMsat: u64, owedMsat: u64 });
const coinsRecord = struct({ issuedMsat: u64, depositedMsat: u64 });
const chainRecord = struct({ receivedMsat: u64, paidOutMsat: u64 });

/** E-coins of one scheme: what was sold, and what has come back. The rest is held by somebody. */
export interface IssuedCoins {
  readonly issuedMsat: Value;
  readonly depositedMsat: Value;
}

/** A broker's books at one moment. In order: received = paid out + balances + issued - deposited. */
export interface Books {
  /** By Bitcoin transactions, those that are confirmed deep enough. */
  readonly receivedMsat: Value;
  /** By Bitcoin transactions, their fees included. */
  readonly paidOutMsat: Value;
  /** By hex of the account's key; below 0: owed for cheating. */
  readonly balancesMsat: ReadonlyMap<string, Value>;
  readonly schemes: ReadonlyMap<number, IssuedCoins>;
}

const nothing = 'all';

/** Who has how much at the broker. Every change keeps the sum, or is a Bitcoin transaction. */
export class AccountBook implements Accounts {
  readonly #house: string;
  readonly #balances: RecordBook<{ readonly heldMsat: Value; readonly owedMsat: Value }>;
  readonly #coins: RecordBook<IssuedCoins>;
  readonly #chain: RecordBook<{ readonly receivedMsat: Value; readonly paidOutMsat: Value }>;

  /** @param house the broker's own account, which fines go to. */
  constructor(store: Pick<StorePort, 'list'>, house: AccountKey) {
    this.#house = toHex(house);
    this.#balances = new RecordBook(store, 'broker/balance/', balanceRecord);
    this.#coins = new RecordBook(store, 'broker/coins/', coinsRecord);
    this.#chain = new RecordBook(store, 'broker/chain/', chainRecord);
  }

  get books(): Books {
    const balances = [...this.#balances.entries()].map(([account]) => [account, this.#balanceOf(account)]);
    return {
      ...this.#chainSums,
      balancesMsat: new Map(balances as [string, Value][]),
      schemes: new Map([...this.#coins.entries()].map(([scheme, coins]) => [Number(scheme), coins])),
    };
  }

  balanceMsat(account: AccountKey): Value | undefined {
    const id = toHex(account);
    return this.#balances.get(id) === undefined ? undefined : this.#balanceOf(id);
  }

  issue(scheme: number, account: AccountKey, msat: Value): readonly StoreWrite[] | undefined {
    assert(msat > 0n, 'coins are worth something');
    const balance = this.balanceMsat(account);
    if (balance === undefined || balance < msat) return undefined;
    const { issuedMsat, depositedMsat } = this.#coinsOf(scheme);
    return [
      this.#add(toHex(account), -msat),
      this.#coins.put(String(scheme), { issuedMsat: issuedMsat + msat, depositedMsat }),
    ];
  }

  deposit(scheme: number, account: AccountKey, msat: Value): readonly StoreWrite[] {
    assert(msat >= 0n, 'coins are worth no less than nothing');
    const { issuedMsat, depositedMsat } = this.#coinsOf(scheme);
    assert(depositedMsat + msat <= issuedMsat, 'no more comes back than was sold');
    return [
      this.#add(toHex(account), msat),
      this.#coins.put(String(scheme), { issuedMsat, depositedMsat: depositedMsat + msat }),
    ];
  }

  charge(account: AccountKey, msat: Value): readonly StoreWrite[] {
    assert(msat >= 0n, 'a fine takes');
    return [this.#add(toHex(account), -msat), this.#add(this.#house, msat)];
  }

  /** An account without money, if there is none of this key. */
  open(account: AccountKey): readonly StoreWrite[] {
    const id = toHex(account);
    return this.#balances.get(id) === undefined ? [this.#add(id, 0n)] : [];
  }

  /** A Bitcoin transaction pays to the account. Less than 0: one that did is undone. */
  receive(account: AccountKey, msat: Value): readonly StoreWrite[] {
    const { receivedMsat, paidOutMsat } = this.#chainSums;
    return [
      this.#add(toHex(account), msat),
      this.#chain.put(nothing, { receivedMsat: receivedMsat + msat, paidOutMsat }),
    ];
  }

  /** A Bitcoin transaction pays out, fee included. Undefined: the account has not as much. */
  payOut(account: AccountKey, msat: Value): readonly StoreWrite[] | undefined {
    const balance = this.balanceMsat(account);
    if (balance === undefined || balance < msat) return undefined;
    const { receivedMsat, paidOutMsat } = this.#chainSums;
    return [
      this.#add(toHex(account), -msat),
      this.#chain.put(nothing, { receivedMsat, paidOutMsat: paidOutMsat + msat }),
    ];
  }

  get #chainSums() {
    return this.#chain.get(nothing) ?? { receivedMsat: 0n, paidOutMsat: 0n };
  }

  #coinsOf(scheme: number): IssuedCoins {
    return this.#coins.get(String(scheme)) ?? { issuedMsat: 0n, depositedMsat: 0n };
  }

  #balanceOf(id: string): Value {
    const { heldMsat, owedMsat } = this.#balances.get(id) ?? { heldMsat: 0n, owedMsat: 0n };
    return heldMsat - owedMsat;
  }

  #add(id: string, msat: Value): StoreWrite {
    const balance = this.#balanceOf(id) + msat;
    const [heldMsat, owedMsat] = balance < 0n ? [0n, -balance] : [balance, 0n];
    return this.#balances.put(id, { heldMsat, owedMsat });
  }
}

/** What of the books does not agree with itself, one line each. */
export function bookProblems(books: Books, outstandingMsat: ReadonlyMap<number, Value>): readonly string[] {
  const problems: string[] = [];
  let covered = books.paidOutMsat;
  for (const balance of books.balancesMsat.values()) covered += balance;
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
