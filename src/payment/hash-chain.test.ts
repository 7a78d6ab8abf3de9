import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { toHex, utf8 } from '../base/bytes.ts';
import { cellMemory, kernels } from '../crypto/kernels/cell-memory.ts';
import { sha256 } from '../crypto/sha.ts';
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

it('hashes tag, name and word at each step', () => {
  const walk = vi.spyOn(kernels, 'walkChain');
  const anyWord = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const anyName = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const ran = fc.check(
    fc.property(
      anyName,
      anyWord,
      fc.oneof(fc.nat(40), fc.integer({ min: 1_020, max: 1_030 })),
      (of, word, steps) => {
        let at: Uint8Array = word;
        for (let i = 0; i < steps; i++) at = sha256(utf8('naulon payword'), of, at);
        expect(toHex(wordBefore(of, word, steps))).toBe(toHex(at));
      },
    ),
  );
  expect(ran.failed).toBe(false);
  expect(walk).toHaveBeenCalled();
  walk.mockRestore();
});

it('leaves no word behind', () => {
  wordBefore(name, seed, 3);
  expect(toHex(cellMemory)).not.toContain(toHex(seed));
  expect(toHex(cellMemory)).not.toContain(toHex(wordBefore(name, seed, 3)));
});
