import type { Struct } from '../../base/struct.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import { RecordBook } from '../record-book.ts';
import type { Value } from '../scheme.ts';

/** Where records of one kind are kept. */
interface Shelf<T> {
  /** Of their keys, such as `ppay/held/`. */
  readonly prefix: string;
  readonly kind: Struct<T>;
}

/**
 * What came into a purse and what went out of it: two books under the same names, so that each is written by one hand and
 * their order on the disk does not matter. Nothing comes in again under a name under which it went out.
 */
export class Stock<I, O> {
  readonly #in: RecordBook<I>;
  readonly #out: RecordBook<O>;
  readonly #worthOf: (record: I) => Value;
  /** By value and name. */
  readonly #left = new Map<Value, Map<string, I>>();

  /** @param worthOf what a coin that came in is worth. */
  constructor(store: Pick<StorePort, 'list'>, into: Shelf<I>, out: Shelf<O>, worthOf: (record: I) => Value) {
    this.#worthOf = worthOf;
    this.#in = new RecordBook(store, into.prefix, into.kind);
    this.#out = new RecordBook(store, out.prefix, out.kind);
    for (const [name, record] of this.#in.entries())
      if (this.#out.get(name) === undefined) this.#pile(name, record);
  }

  /** What is there. */
  left(): readonly (readonly [name: string, record: I])[] {
    return [...this.#left.values()].flatMap(pile => [...pile]);
  }

  /** What is there and worth just so much, in the order in which it came. */
  worth(value: Value): Iterable<readonly [name: string, record: I]> {
    return this.#left.get(value) ?? [];
  }

  /** All that ever came in. */
  came(): readonly I[] {
    return [...this.#in.entries()].map(([, record]) => record);
  }

  /** All that ever went out. */
  gone(): readonly (readonly [name: string, record: O])[] {
    return [...this.#out.entries()];
  }

  cameAs(name: string): I | undefined {
    return this.#in.get(name);
  }

  goneAs(name: string): O | undefined {
    return this.#out.get(name);
  }

  put(name: string, record: I): StoreWrite {
    if (this.#out.get(name) === undefined) this.#pile(name, record);
    return this.#in.put(name, record);
  }

  /** It did not go out: nobody has seen how it did, and the write that says so was thrown away. */
  putBack(name: string): void {
    this.#out.drop(name);
    const record = this.#in.get(name);
    if (record !== undefined) this.#pile(name, record);
  }

  /** Also writes what has become of it since. */
  take(name: string, record: O): StoreWrite {
    const came = this.#in.get(name);
    if (came !== undefined) this.#left.get(this.#worthOf(came))?.delete(name);
    return this.#out.put(name, record);
  }

  #pile(name: string, record: I): void {
    const value = this.#worthOf(record);
    const pile = this.#left.get(value) ?? new Map<string, I>();
    this.#left.set(value, pile.set(name, record));
  }
}
