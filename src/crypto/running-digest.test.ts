import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { cellMemory, kernels, readArea } from './kernels/cell-memory.ts';
import { RunningDigest } from './running-digest.ts';

const anyPiece = fc.record({
  // A kernel takes up to four cells.
  length: fc.oneof(fc.nat(600), fc.nat(4 * 509), fc.nat(8 * 509)),
  how: fc.constantFrom('right', 'wrong', 'rest'),
  inCellMemory: fc.boolean(),
});

test('a running digest adds what leads where it is said to, and forgets the rest, by kernel as by OpenSSL', () => {
  const kernel = vi.spyOn(kernels, 'digestNow');
  let short = 0;
  let long = 0;
  fc.assert(
    fc.property(fc.array(anyPiece, { maxLength: 30 }), fc.boolean(), (pieces, onlyShort) => {
      const digest = new RunningDigest(new Uint8Array(20));
      const plain = createHash('sha1').update(new Uint8Array(20));
      for (const [at, { length, how, inCellMemory }] of pieces.entries()) {
        if (how === 'rest') digest.rest();
        else {
          const bytes = new Uint8Array(onlyShort ? Math.min(length, 600) : length).fill(at + 1);
          cellMemory.set(bytes, readArea.at);
          const there = cellMemory.subarray(readArea.at, readArea.at + bytes.length);
          const first = plain.copy().update(bytes).digest().readUInt32BE();
          kernel.mockClear();
          const added = digest.addIf(inCellMemory ? there : bytes, how === 'right' ? first : first ^ 1);
          expect(added).toBe(how === 'right');
          if (added) plain.update(bytes);
          if (kernel.mock.calls.length > 0) short += 1;
          else long += 1;
        }
        expect(toHex(digest.peek())).toBe(plain.copy().digest('hex'));
      }
    }),
    { numRuns: 100 },
  );
  kernel.mockRestore();
  expect(short).toBeGreaterThan(0);
  expect(long).toBeGreaterThan(0);
});
