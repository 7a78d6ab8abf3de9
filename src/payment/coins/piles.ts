/** Things of one kind, sorted by whom they are for. */
export class Piles<T> {
  readonly #piles = new Map<string, readonly T[]>();

  of(whom: string): readonly T[] {
    return this.#piles.get(whom) ?? [];
  }

  put(whom: string, things: readonly T[]): void {
    if (things.length > 0) this.#piles.set(whom, [...this.of(whom), ...things]);
  }

  take(whom: string, things: readonly T[]): void {
    const rest = this.of(whom).filter(thing => !things.includes(thing));
    if (rest.length === 0) this.#piles.delete(whom);
    else this.#piles.set(whom, rest);
  }
}
