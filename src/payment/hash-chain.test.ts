import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HashChain, leadsTo, wordBefore } from './hash-chain.ts';

const name = new Uint8Array(16).fill(1);
const seed = new Uint8Array(32).fill(2);

it('gives each word, whatever its length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), (length, drawn) => {
      const chain = new HashChain(name, seed, length);
      const index = drawn % (length + 1);
      expect(chain.word(index)).toEqual(wordBefore(name, seed, length - index));
      expect(leadsTo(name, chain.root, chain.word(index), index)).toBe(true);
      expect(leadsTo(name, chain.root, chain.word(index), index + 1)).toBe(false);
      expect(leadsTo(new Uint8Array(16), chain.root, chain.word(index), index)).toBe(index === 0);
    }),
    { numRuns: 60 },
  );
});
