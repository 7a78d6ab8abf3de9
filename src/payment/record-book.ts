import { assert } from '../base/assert.ts';
import type { Struct } from '../base/struct.ts';
import type { StorePort, StoreWrite } from '../ports.ts';

/**
 * Records of one kind: in memory, and in the store once the write that a change gives has become durable. What is read
 * at the start is what was durable.
 */
export class RecordBook<T> {
  readonly #prefix: string;
  readonly #kind: Struct<T>;
  readonly #records = new Map<string, T>();

  /** @param prefix of their keys, such as `ppay/coin/`. A record that cannot be read is a damaged store, and asserts. */
  constructor(store: Pick<StorePort, 'list'>, prefix: string, kind: Struct<T>) {
    this.#prefix = prefix;
    this.#kind = kind;
    for (const [key, bytes] of store.list(prefix)) {
      const record = kind.decode(bytes);
      assert(record !== undefined, `the record ${key} can be read`);
      this.#records.set(key.slice(prefix.length), record);
    }
  }

  get size(): number {
    return this.#records.size;
  }

  get(id: string): T | undefined {
    return this.#records.get(id);
  }

  /** In the order in which they were first put; those of earlier lives ordered by id. */
  entries(): IterableIterator<[id: string, record: T]> {
    return this.#records.entries();
  }

  put(id: string, record: T): StoreWrite {
    this.#records.set(id, record);
    return { key: this.#prefix + id, value: this.#kind.encode(record) };
  }

  drop(id: string): StoreWrite {
    this.#records.delete(id);
    return { key: this.#prefix + id, value: undefined };
  }
}
