import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import { coinSpendsMax } from '../../base/limits.ts';
import { countedList, fixedBytes, struct, u16 } from '../../base/struct.ts';
import { sha256 } from '../../crypto/sha.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import type { AccountKey, Accounts } from '../broker-side.ts';
import { RecordBook } from '../record-book.ts';
import type { Value } from '../scheme.ts';

const hash = fixedBytes(16);
const damagesRecord = struct({
  /** What was said where more than one thing was. */
  spends: countedList(u16, struct({ fork: hash, said: hash })),
  /** How often the coin's value was demanded of those who said so. */
  charged: u16,
  /** Deposits that were paid out of that. */
  paid: countedList(u16, hash),
});

/** What one key said of one state of a coin: where, and what each time, as any bytes that name it. */
export interface Spends {
  readonly fork: Uint8Array;
  readonly said: readonly Uint8Array[];
}

/** Part of a sum, and who pays it or is paid it. */
export interface Share {
  readonly account: AccountKey;
  readonly msat: Value;
}

/** Of these a sum together: what each has, in their order; the first owes the rest. */
export function chargeTogether(
  accounts: Accounts,
  from: readonly AccountKey[],
  msat: Value,
  to: AccountKey,
): { readonly writes: readonly StoreWrite[]; readonly shares: readonly Share[] } {
  const shares: Share[] = [];
  let left = msat;
  for (const account of from) {
    const has = accounts.balanceMsat(account) ?? 0n;
    const share = has < left ? has : left;
    if (share <= 0n) continue;
    shares.push({ account, msat: share });
    left -= share;
  }
  if (left > 0n) shares.push({ account: from[0], msat: left });
  return { shares, writes: shares.flatMap(share => accounts.charge(share.account, share.msat, to)) };
}

/**
 * What coins that were spent more than once have cost, and whom. The coin itself pays whoever hands it in first; for
 * every other spend its value is demanded of whoever is guilty, for an account of the coin's own that nobody has the key
 * of, and pays who else hands the coin in. The broker gets nothing of it.
 */
export class Damages {
  readonly #accounts: Accounts;
  readonly #scheme: string;
  readonly #book;

  constructor(accounts: Accounts, store: Pick<StorePort, 'list'>, scheme: string) {
    this.#accounts = accounts;
    this.#scheme = scheme;
    this.#book = new RecordBook(store, `${scheme}/damages/`, damagesRecord);
  }

  /**
   * Undefined: all of it was known.
   * @param guilty whose accounts pay, together; none: they are not known.
   */
  demand(
    coin: string,
    value: Value,
    guilty: readonly AccountKey[],
    { fork, said }: Spends,
  ): readonly StoreWrite[] | undefined {
    const known = this.#of(coin);
    const where = hashed(fork);
    const at = known.spends.filter(each => equalBytes(each.fork, where));
    const fresh = said.map(hashed).filter(each => !at.some(other => equalBytes(other.said, each)));
    if (fresh.length === 0 || known.spends.length + fresh.length > coinSpendsMax) return undefined;
    const spends = [...known.spends, ...fresh.map(each => ({ fork: where, said: each }))];
    const times = guilty.length === 0 ? 0 : fresh.length - (at.length === 0 ? 1 : 0);
    const record = this.#book.put(coin, { ...known, spends, charged: known.charged + times });
    if (times === 0) return [record];
    const charged = chargeTogether(this.#accounts, guilty, value * BigInt(times), this.#potOf(coin));
    return [record, ...charged.writes];
  }

  hasPaid(coin: string, deposit: Uint8Array): boolean {
    const name = hashed(deposit);
    return this.#of(coin).paid.some(each => equalBytes(each, name));
  }

  /**
   * Once for each deposit, as often as its value was demanded: as far as there is something, and the rest when whoever is guilty
   * has it. @param shares the coin's value, for who handed it in, or for who paid that already.
   */
  pay(coin: string, shares: readonly Share[], deposit: Uint8Array): readonly StoreWrite[] {
    const known = this.#of(coin);
    if (known.paid.length >= known.charged || this.hasPaid(coin, deposit)) return [];
    const record = this.#book.put(coin, { ...known, paid: [...known.paid, hashed(deposit)] });
    const pot = this.#potOf(coin);
    return [record, ...shares.flatMap(({ account, msat }) => this.#accounts.charge(pot, msat, account))];
  }

  /** Nobody can be short of that coin any more. What is demanded and not paid yet stays owed. */
  forget(coin: string): readonly StoreWrite[] {
    return this.#book.get(coin) === undefined ? [] : [this.#book.drop(coin)];
  }

  #of(coin: string) {
    return this.#book.get(coin) ?? { spends: [], charged: 0, paid: [] };
  }

  /** No public key begins with 0. */
  #potOf(coin: string): AccountKey {
    return concatBytes(Uint8Array.of(0), sha256(utf8(`naulon damages ${this.#scheme} ${coin}`)));
  }
}

function hashed(bytes: Uint8Array): Uint8Array {
  return sha256(bytes).slice(0, 16);
}
