import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restOf } from './bytes.ts';

describe('what is left of bytes that wait', () => {
  it('is the end of them, holds on to no more than twice its size, and is copied as often as they were at most', () => {
    const steps = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 40 });
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), steps, (bytes, each) => {
        let rest: Uint8Array = bytes.slice();
        let [at, copied] = [0, 0];
        for (const step of each) {
          const from = Math.min(step, rest.length);
          const left = restOf(rest, from);
          if (left.buffer !== rest.buffer) copied += left.length;
          rest = left;
          at += from;
          expect(Buffer.compare(rest, bytes.subarray(at))).toBe(0);
          expect(rest.buffer.byteLength).toBeLessThanOrEqual(Math.max(2 * rest.length, 0));
        }
        expect(copied).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
