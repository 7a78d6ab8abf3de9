import { toHex } from '../../base/bytes.ts';
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

  /** @param scheme names the records. */
  constructor(store: Pick<StorePort, 'list'>, scheme: string, news: Struct<N>) {
    const kind = struct({ owner: fixedBytes(publicKeyBytes), entry: u64, news }) as unknown as Struct<
      Entry<N>
    >;
    this.#entries = new RecordBook(store, `${scheme}/queue/`, kind);
    this.#counter = new RecordBook(store, `${scheme}/queued/`, counterRecord);
    for (const [, entry] of this.#entries.entries()) this.#pileOf(entry.owner).push(entry);
  }

  add(owner: Uint8Array, news: N): readonly StoreWrite[] {
    const number = (this.#counter.get('last')?.last ?? 0n) + 1n;
    const entry = { owner, entry: number, news };
    this.#pileOf(owner).push(entry);
    return [this.#counter.put('last', { last: number }), this.#entries.put(nameOf(number), entry)];
  }

  /** What that owner must hear beyond the entry of that number, the oldest first. */
  after(owner: Uint8Array, number: bigint): readonly Entry<N>[] {
    return this.#pileOf(owner).filter(({ entry }) => entry > number);
  }

  /** That owner has heard all up to the entry. */
  heard(owner: Uint8Array, upTo: bigint): readonly StoreWrite[] {
    const pile = this.#pileOf(owner);
    const heard = pile.filter(({ entry }) => entry <= upTo);
    pile.splice(0, heard.length);
    return heard.map(({ entry }) => this.#entries.drop(nameOf(entry)));
  }

  #pileOf(owner: Uint8Array): Entry<N>[] {
    const name = toHex(owner);
    const pile = this.#byOwner.get(name) ?? [];
    this.#byOwner.set(name, pile);
    return pile;
  }
}

function nameOf(number: bigint): string {
  return number.toString(16).padStart(16, '0');
}
