import { toHex } from '../../base/bytes.ts';
import { coinNewsMax, ownerNewsMax } from '../../base/limits.ts';
import { fixedBytes, type Struct, struct, u64 } from '../../base/struct.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import { RecordBook } from '../record-book.ts';
import { publicKeyBytes } from '../statement.ts';

const counterRecord = struct({ last: u64 });

interface Entry<N> {
  readonly owner: Uint8Array;
  readonly entry: bigint;
  readonly news: N;
}

/** What owners that were away must hear, each entry under a number of its own. */
export class OwnerQueue<N> {
  readonly #entries: RecordBook<Entry<N>>;
  readonly #counter: RecordBook<{ readonly last: bigint }>;
  readonly #byOwner = new Map<string, Entry<N>[]>();
  /** How many entries each coin has. */
  readonly #ofCoin = new Map<string, number>();
  readonly #coinOf: (news: N) => string;

  /**
   * @param scheme names the records.
   * @param coinOf names the coin that news is about.
   */
  constructor(store: Pick<StorePort, 'list'>, scheme: string, news: Struct<N>, coinOf: (news: N) => string) {
    this.#coinOf = coinOf;
    const kind = struct({ owner: fixedBytes(publicKeyBytes), entry: u64, news }) as unknown as Struct<
      Entry<N>
    >;
    this.#entries = new RecordBook(store, `${scheme}/queue/`, kind);
    this.#counter = new RecordBook(store, `${scheme}/queued/`, counterRecord);
    for (const [, entry] of this.#entries.entries()) this.#pile(entry);
  }

  /** True when so much waits for that owner, of this coin or of all, that nothing more is kept for it. */
  isFull(owner: Uint8Array, coin: string): boolean {
    const waiting = this.#byOwner.get(toHex(owner))?.length ?? 0;
    return waiting >= ownerNewsMax || (this.#ofCoin.get(coin) ?? 0) >= coinNewsMax;
  }

  add(owner: Uint8Array, news: N): readonly StoreWrite[] {
    const number = (this.#counter.get('last')?.last ?? 0n) + 1n;
    const entry = { owner, entry: number, news };
    this.#pile(entry);
    return [this.#counter.put('last', { last: number }), this.#entries.put(nameOf(number), entry)];
  }

  /** What that owner must hear beyond the entry of that number, the oldest first. */
  after(owner: Uint8Array, number: bigint): readonly Entry<N>[] {
    return (this.#byOwner.get(toHex(owner)) ?? []).filter(({ entry }) => entry > number);
  }

  /** That owner has heard all up to the entry. */
  heard(owner: Uint8Array, upTo: bigint): readonly StoreWrite[] {
    return this.#drop(owner, ({ entry }) => entry <= upTo);
  }

  /** What that owner has not heard of the coin is of no use to it any more. */
  forget(owner: Uint8Array, coin: string): readonly StoreWrite[] {
    return this.#ofCoin.has(coin) ? this.#drop(owner, ({ news }) => this.#coinOf(news) === coin) : [];
  }

  #drop(owner: Uint8Array, isOver: (entry: Entry<N>) => boolean): readonly StoreWrite[] {
    const name = toHex(owner);
    const [over, left] = [[] as Entry<N>[], [] as Entry<N>[]];
    for (const entry of this.#byOwner.get(name) ?? []) (isOver(entry) ? over : left).push(entry);
    if (left.length === 0) this.#byOwner.delete(name);
    else this.#byOwner.set(name, left);
    for (const { news } of over) this.#count(news, -1);
    return over.map(({ entry }) => this.#entries.drop(nameOf(entry)));
  }

  #pile(entry: Entry<N>): void {
    const name = toHex(entry.owner);
    const pile = this.#byOwner.get(name) ?? [];
    pile.push(entry);
    this.#byOwner.set(name, pile);
    this.#count(entry.news, 1);
  }

  #count(news: N, more: 1 | -1): void {
    const coin = this.#coinOf(news);
    const count = (this.#ofCoin.get(coin) ?? 0) + more;
    if (count === 0) this.#ofCoin.delete(coin);
    else this.#ofCoin.set(coin, count);
  }
}

function nameOf(number: bigint): string {
  return number.toString(16).padStart(16, '0');
}
