import { equalBytes, toHex } from '../../base/bytes.ts';
import { countedList, fixedBytes, type Holds, struct, u16, u64 } from '../../base/struct.ts';
import type { AccountKey, BrokerHost } from '../../payment/broker-side.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { publicKeyBytes } from '../../payment/statement.ts';
import type { StoreWrite } from '../../ports.ts';
import type { Coin } from './messages.ts';

const account = fixedBytes(publicKeyBytes);
const caseRecord = struct({
  guid: fixedBytes(16),
  /** Who is short of how much. */
  owed: countedList(u16, struct({ account, msat: u64 })),
  /** Assistants that were charged because they show nothing, and that nothing convicts. */
  silent: countedList(u16, account),
});
type Case = Holds<typeof caseRecord>;

/** Who has the damage of coins that were handed in more than once, and who pays it: all of it goes to those that have it. */
export class Damages {
  readonly #accounts: BrokerHost['accounts'];
  readonly #cases: RecordBook<Case>;

  constructor({ accounts, store }: Pick<BrokerHost, 'accounts' | 'store'>) {
    this.#accounts = accounts;
    this.#cases = new RecordBook(store, 'cpay/damage/', caseRecord);
  }

  /** True for one that was charged for its silence, until it has answered. */
  isSilent(assistant: Uint8Array): boolean {
    return [...this.#cases.entries()].some(([, { silent }]) => includes(silent, assistant));
  }

  /** Somebody honest, as far as anybody knows, handed the coin in after another. */
  add({ guid, value: msat }: Coin, who: AccountKey): StoreWrite {
    const known = this.#caseOf(guid);
    return this.#put({ ...known, owed: [...known.owed, { account: who, msat }] });
  }

  /** These were convicted: they pay all. What one of them was short of it has itself to blame for. */
  convict({ guid }: Coin, guilty: readonly Uint8Array[]): readonly StoreWrite[] {
    const known = this.#caseOf(guid);
    if (known.owed.length === 0 && known.silent.length === 0) return [];
    const paid = known.owed
      .filter(each => !includes(guilty, each.account))
      .flatMap(each => this.#pay(each.msat, guilty, each.account).writes);
    return [...paid, this.#cases.drop(toHex(guid))];
  }

  /** These show nothing: they pay what others are short of, and are owed it in turn by whoever may be convicted yet. */
  chargeSilent({ guid }: Coin, silent: readonly Uint8Array[]): readonly StoreWrite[] {
    const known = this.#caseOf(guid);
    const all = [...known.silent, ...silent.filter(each => !includes(known.silent, each))];
    if (all.length === 0) return [];
    const left = known.owed.filter(each => includes(all, each.account));
    const paid = known.owed
      .filter(each => !includes(all, each.account))
      .map(each => this.#pay(each.msat, all, each.account));
    const owed = [...left, ...paid.flatMap(({ shares }) => shares)];
    return [...paid.flatMap(({ writes }) => writes), this.#put({ guid, owed, silent: all })];
  }

  /** It has answered. */
  heard({ guid }: Coin, assistant: Uint8Array): readonly StoreWrite[] {
    const known = this.#caseOf(guid);
    if (!includes(known.silent, assistant)) return [];
    return [this.#put({ ...known, silent: known.silent.filter(each => !equalBytes(each, assistant)) })];
  }

  /** Of those that have money, in their order; the first owes the rest. */
  #pay(
    msat: bigint,
    from: readonly Uint8Array[],
    to: AccountKey,
  ): { readonly writes: readonly StoreWrite[]; readonly shares: Case['owed'] } {
    const shares: Case['owed'][number][] = [];
    let left = msat;
    for (const each of from) {
      const has = this.#accounts.balanceMsat(each) ?? 0n;
      const share = has < left ? has : left;
      if (share <= 0n) continue;
      shares.push({ account: each, msat: share });
      left -= share;
    }
    if (left > 0n) shares.push({ account: from[0], msat: left });
    return { shares, writes: shares.flatMap(share => this.#accounts.charge(share.account, share.msat, to)) };
  }

  #caseOf(guid: Uint8Array): Case {
    return this.#cases.get(toHex(guid)) ?? { guid, owed: [], silent: [] };
  }

  #put(record: Case): StoreWrite {
    return this.#cases.put(toHex(record.guid), record);
  }
}

function includes(all: readonly Uint8Array[], one: Uint8Array): boolean {
  return all.some(each => equalBytes(each, one));
}
