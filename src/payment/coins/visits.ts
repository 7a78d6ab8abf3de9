/** How far each coin had come when it was last here: nobody holds one in the same place twice. */
export class Visits {
  readonly #last = new Map<string, bigint>();

  note(coin: string, place: bigint): void {
    if (!this.wasAt(coin, place)) this.#last.set(coin, place);
  }

  /** True for a coin that was here in that place or in a later one. */
  wasAt(coin: string, place: bigint): boolean {
    const last = this.#last.get(coin);
    return last !== undefined && last >= place;
  }
}
