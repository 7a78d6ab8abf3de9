import fc from 'fast-check';
import { expect, it } from 'vitest';
import { coveringPaths } from './verify.ts';

it('covers every relay with circuits that end at an exit and hold no relay twice', () => {
  const network = fc
    .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 25 }))
    .map(([exits, others]) => [
      ...Array.from({ length: others }, (_, at) => ({ nickname: `middle${at}`, exit: false })),
      ...Array.from({ length: exits }, (_, at) => ({ nickname: `exit${at}`, exit: true })),
    ]);
  fc.assert(
    fc.property(network, relays => {
      const paths = coveringPaths(relays);
      expect(new Set(paths.flat())).toEqual(new Set(relays.map(({ nickname }) => nickname)));
      for (const path of paths) {
        expect(path).toHaveLength(Math.min(3, relays.length));
        expect(new Set(path).size).toBe(path.length);
        expect(path.at(-1)).toMatch(/^exit/);
      }
      expect(paths.length).toBeLessThanOrEqual(relays.length);
    }),
  );
});

it('needs one circuit for three relays, and none where there is no exit', () => {
  const three = ['guard1', 'middle1', 'exit1'].map(nickname => ({ nickname, exit: nickname === 'exit1' }));
  expect(coveringPaths(three)).toEqual([['guard1', 'middle1', 'exit1']]);
  expect(coveringPaths([{ nickname: 'guard1', exit: false }])).toEqual([]);
});
