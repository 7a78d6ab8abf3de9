import { assert } from '../base/assert.ts';
import { concatBytes, equalBytes, utf8 } from '../base/bytes.ts';
import { hashSteps } from '../crypto/kernels/hash-steps.ts';

/**
 * Chains of hashes that are paid with: word 0, the root, is signed for; word i+1 hashes to word i, so that whoever shows
 * word i shows all before it. Each chain hashes under a name of its own, so that no word of one is a word of another.
 */

export const chainNameBytes = 16;
export const wordBytes = 32;

const tag = utf8('naulon payword');

/** The word that many steps nearer to the root: one is the SHA-256 of tag, name and word. */
export function wordBefore(name: Uint8Array, word: Uint8Array, steps: number): Uint8Array {
  return hashSteps(concatBytes(tag, name), word, steps);
}

/** True when `word`, so many steps further on, leads to the word that is known. */
export function leadsTo(name: Uint8Array, known: Uint8Array, word: Uint8Array, steps: number): boolean {
  return steps >= 0 && word.length === wordBytes && equalBytes(wordBefore(name, word, steps), known);
}

/**
 * All words of a chain, from its last one. Every so many words one is remembered, the square root of their number, so
 * that the next word costs a few hashes and the memory stays small.
 */
export class HashChain {
  readonly name: Uint8Array;
  readonly length: number;
  readonly #spacing: number;
  /** Words `length`, `length - spacing`, …, down to the root. */
  readonly #marks: Uint8Array[] = [];
  readonly root: Uint8Array;

  /** @param seed the last word: whoever has it can pay with the whole chain. */
  constructor(name: Uint8Array, seed: Uint8Array, length: number) {
    assert(name.length === chainNameBytes && seed.length === wordBytes, 'a chain has a name and a seed');
    assert(Number.isInteger(length) && length > 0, 'a chain has words');
    this.name = name;
    this.length = length;
    this.#spacing = Math.ceil(Math.sqrt(length));
    let at = seed;
    for (let index = length; index > 0; index -= this.#spacing) {
      this.#marks.push(at);
      at = wordBefore(name, at, Math.min(this.#spacing, index));
    }
    this.root = at;
  }

  word(index: number): Uint8Array {
    assert(index >= 0 && index <= this.length, 'a word of the chain');
    if (index === 0) return this.root;
    const mark = Math.floor((this.length - index) / this.#spacing);
    return wordBefore(this.name, this.#marks[mark], this.length - mark * this.#spacing - index);
  }
}
