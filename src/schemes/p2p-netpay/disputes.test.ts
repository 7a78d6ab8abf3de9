import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Scene } from './bought-chain.fixture.ts';
import { unpaid } from './disputes.ts';

it('words that nobody was paid for are those of none of the stretches that were paid', () => {
  const scene = new Scene();
  const [said, visit] = [scene.claim(0, 0, 0, 1), scene.visit(0, 0)];
  const word = fc.nat(40);
  fc.assert(
    fc.property(
      word,
      word,
      fc.array(fc.tuple(word, fc.nat(10)), { maxLength: 6 }),
      (from, more, stretches) => {
        const to = from + more;
        const segments = stretches.map(([first, words]) => ({
          claim: { ...said, first },
          visit,
          from: new Uint8Array(0),
          taken: first + words,
          paid: words,
        }));
        let left = 0;
        for (let index = from + 1; index <= to; index++)
          if (!segments.some(({ claim, taken }) => index > claim.first && index <= taken)) left += 1;
        expect(unpaid(from, to, segments)).toBe(left);
      },
    ),
  );
});
