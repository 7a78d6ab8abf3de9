import type { Dice } from './dice.ts';

const inputsMax = 2_000;

/** Inputs that have shown something new, from which others are made. */
export class Pool {
  readonly #dice: Dice;
  readonly #inputs: Uint8Array[];
  #bytes: number;

  constructor(seeds: readonly Uint8Array[], dice: Dice) {
    this.#dice = dice;
    this.#inputs = [...seeds];
    this.#bytes = seeds.reduce((sum, { length }) => sum + length, 0);
  }

  get inputs(): readonly Uint8Array[] {
    return this.#inputs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A full pool gives up any one for it. */
  keep(input: Uint8Array): void {
    const at = this.#inputs.length < inputsMax ? this.#inputs.length : this.#dice.below(inputsMax);
    this.#bytes += input.length - (this.#inputs[at]?.length ?? 0);
    // A view would keep all that it is a part of.
    this.#inputs[at] = input.slice();
  }
}
