/** Records by key in memory, as a StorePort reads them: in copies, ordered by key. */
export class LoadedRecords {
  readonly #values = new Map<string, Uint8Array>();

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key)?.slice();
  }

  list(prefix: string): readonly (readonly [key: string, value: Uint8Array])[] {
    return [...this.#values]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, value.slice()]);
  }

  /** Takes the values over; undefined: removed. */
  change(changes: Iterable<readonly [key: string, value: Uint8Array | undefined]>): void {
    for (const [key, value] of changes) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    }
  }
}
