import { equalBytes, toHex, utf8 } from '../../base/bytes.ts';
import { countedList, fixedBytes, type Holds, struct, u8, u16, u64 } from '../../base/struct.ts';
import type { AccountKey, BrokerHost } from '../../payment/broker-side.ts';
import { chargeTogether, Damages, type Spends } from '../../payment/coins/damages.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { publicKeyBytes } from '../../payment/statement.ts';
import type { StoreWrite } from '../../ports.ts';
import { type Coin, schemeName } from './messages.ts';

const account = fixedBytes(publicKeyBytes);
/** What one deposit is short of: the coin's value. */
const shortRecord = struct({
  /** Counts the coin's, from 0. */
  number: u16,
  /** 1: whoever handed the coin in has it, of these, who only showed nothing. */
  advanced: u8,
  shares: countedList(u16, struct({ account, msat: u64 })),
});
const caseRecord = struct({
  guid: fixedBytes(16),
  /** How many there were. */
  count: u16,
  short: countedList(u16, shortRecord),
  /** Assistants that were charged because they show nothing, and that nothing convicts. */
  silent: countedList(u16, account),
});
type Case = Holds<typeof caseRecord>;
type Short = Holds<typeof shortRecord>;

/** A holding that was given to more than one, and the assistants that did it together. */
export interface Fork {
  readonly guilty: readonly AccountKey[];
  readonly spends: Spends;
}

/**
 * Who is short of the value of coins that were handed in more than once: the damages pay them, as assistants are convicted. Until then
 * those pay that show nothing, and are short of it themselves.
 */
export class Shortfalls {
  readonly #accounts: BrokerHost['accounts'];
  readonly #cases: RecordBook<Case>;
  readonly #damages: Damages;

  constructor({ accounts, store }: Pick<BrokerHost, 'accounts' | 'store'>) {
    this.#accounts = accounts;
    this.#cases = new RecordBook(store, 'cpay/short/', caseRecord);
    this.#damages = new Damages(accounts, store, schemeName);
  }

  /** True for one that was charged for its silence, until it has answered. */
  isSilent(assistant: Uint8Array): boolean {
    return [...this.#cases.entries()].some(([, { silent }]) => includes(silent, assistant));
  }

  /** True while more was handed in than anybody is known to be guilty of. */
  isAnyShort({ guid }: Coin): boolean {
    return this.#caseOf(guid).short.length > 0;
  }

  /** Somebody honest, as far as anybody knows, handed the coin in after another. */
  add({ guid, value: msat }: Coin, who: AccountKey): StoreWrite {
    const { count, short, silent } = this.#caseOf(guid);
    const one = { number: count, advanced: 0, shares: [{ account: who, msat }] };
    return this.#put({ guid, count: count + 1, short: [...short, one], silent });
  }

  /** That it was handed in by this word. Undefined: that is known. */
  note({ guid, value }: Coin, word: Uint8Array): readonly StoreWrite[] | undefined {
    return this.#damages.demand(toHex(guid), value, [], { fork: utf8('handed in'), said: [word] });
  }

  /** Undefined: nothing of it is new. */
  demand({ guid, value }: Coin, forks: readonly Fork[]): readonly StoreWrite[] | undefined {
    const demanded = forks.map(({ guilty, spends }) =>
      this.#damages.demand(toHex(guid), value, guilty, spends),
    );
    return demanded.every(each => each === undefined) ? undefined : demanded.flatMap(each => each ?? []);
  }

  /** As many have their value as it was demanded for. What a convict was short of it has itself to blame for. */
  settle({ guid }: Coin, convicts: readonly Uint8Array[]): readonly StoreWrite[] {
    const known = this.#caseOf(guid);
    const writes: StoreWrite[] = [];
    const left = known.short.filter(({ advanced, number, shares }) => {
      if (advanced === 0 && shares.every(each => includes(convicts, each.account))) return false;
      const paid = this.#damages.pay(toHex(guid), shares, utf8(String(number)));
      writes.push(...paid);
      return paid.length === 0;
    });
    // Nobody is asked any more, so nobody is silent.
    const silent = left.length === 0 ? [] : known.silent;
    const isSame = left.length === known.short.length && silent.length === known.silent.length;
    return isSame ? writes : [...writes, this.#put({ ...known, short: left, silent })];
  }

  /** These show nothing: they pay what others are short of, and are short of it in turn until somebody is convicted. */
  chargeSilent({ guid }: Coin, silent: readonly Uint8Array[]): readonly StoreWrite[] {
    const known = this.#caseOf(guid);
    const all = [...known.silent, ...silent.filter(each => !includes(known.silent, each))];
    if (all.length === 0) return [];
    const writes: StoreWrite[] = [];
    const short = known.short.map(one => this.#advanced(one, all, writes));
    return [...writes, this.#put({ ...known, short, silent: all })];
  }

  #advanced(one: Short, by: readonly Uint8Array[], writes: StoreWrite[]): Short {
    const theirs = one.shares.filter(each => includes(by, each.account));
    const others = one.shares.filter(each => !includes(by, each.account));
    if (others.length === 0) return one;
    const paid = others.map(each => chargeTogether(this.#accounts, by, each.msat, each.account));
    writes.push(...paid.flatMap(each => each.writes));
    return { ...one, advanced: 1, shares: [...theirs, ...paid.flatMap(({ shares }) => shares)] };
  }

  /** It has answered. */
  heard({ guid }: Coin, assistant: Uint8Array): readonly StoreWrite[] {
    const known = this.#caseOf(guid);
    if (!includes(known.silent, assistant)) return [];
    return [this.#put({ ...known, silent: known.silent.filter(each => !equalBytes(each, assistant)) })];
  }

  /** Nobody can be short of that coin any more. */
  forget({ guid }: Coin): readonly StoreWrite[] {
    const name = toHex(guid);
    const known = this.#cases.get(name) === undefined ? [] : [this.#cases.drop(name)];
    return [...known, ...this.#damages.forget(name)];
  }

  #caseOf(guid: Uint8Array): Case {
    return this.#cases.get(toHex(guid)) ?? { guid, count: 0, short: [], silent: [] };
  }

  #put(record: Case): StoreWrite {
    return this.#cases.put(toHex(record.guid), record);
  }
}

function includes(all: readonly Uint8Array[], one: Uint8Array): boolean {
  return all.some(each => equalBytes(each, one));
}
