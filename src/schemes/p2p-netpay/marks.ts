import { leadsTo, wordBefore, wordBytes } from '../../payment/hash-chain.ts';
import type { Touchstone } from './messages.ts';

/** Every so many words one is kept. */
const spacing = 256;

/** The root of a chain, and words of it that tell the others: so no claim costs its broker more than a few hashes. */
export function marksOf(name: Uint8Array, seed: Uint8Array, count: number) {
  const marks = new Uint8Array(Math.floor(count / spacing) * wordBytes);
  let [word, at] = [seed, count];
  for (let mark = marks.length / wordBytes; mark > 0; mark--) {
    word = wordBefore(name, word, at - mark * spacing);
    at = mark * spacing;
    marks.set(word, (mark - 1) * wordBytes);
  }
  return { root: wordBefore(name, word, at), marks };
}

/** True for the word of that index. */
export function isWord(
  { chain, root, count }: Touchstone,
  marks: Uint8Array,
  index: number,
  word: Uint8Array,
): boolean {
  if (index > count) return false;
  const mark = Math.floor(index / spacing);
  const known = mark === 0 ? root : marks.subarray((mark - 1) * wordBytes, mark * wordBytes);
  return leadsTo(chain, known, word, index - mark * spacing);
}
