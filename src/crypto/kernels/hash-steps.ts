import { assert } from '../../base/assert.ts';
import { cellMemory, chainArea, kernels } from './cell-memory.ts';

const blockBytes = 64;
const wordBytes = 32;
/** One call walks no further: code that is compiled better meanwhile is used from the next call on. */
const stepsPerCall = 1_024;

/**
 * `word`, 32 bytes, put into its place at the end of `head` and hashed, and what came out of it again, `steps` times: the
 * SHA-256 of head and word. @param head 24 to 31 bytes: the word ends in the first block of the message, its padding in the next.
 */
export function hashSteps(head: Uint8Array, word: Uint8Array, steps: number): Uint8Array {
  const { at } = chainArea;
  const length = head.length + wordBytes;
  assert(
    word.length === wordBytes && length >= blockBytes - 8 && length < blockBytes,
    'a message of two blocks',
  );
  cellMemory.fill(0, at, at + 2 * blockBytes);
  cellMemory.set(head, at);
  cellMemory.set(word, at + head.length);
  cellMemory[at + length] = 0x80;
  new DataView(cellMemory.buffer).setUint32(at + 2 * blockBytes - 4, length * 8);
  for (let left = steps; left > 0; left -= stepsPerCall)
    kernels.walkChain(at, head.length, Math.min(left, stepsPerCall));
  const reached = cellMemory.slice(at + head.length, at + length);
  // Words that nobody has seen yet are money.
  cellMemory.fill(0, at, at + chainArea.bytes);
  return reached;
}
