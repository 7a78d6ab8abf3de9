import { ctr } from '@noble/ciphers/aes.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AesCtr } from './aes-ctr.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe('AES-128 in counter mode', () => {
  it('is one stream however it is cut and wherever it rests, the same as an independent implementation makes', () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(bytes(16), bytes(16), cuts, fc.integer(), (key, iv, lengths, seed) => {
        const plain = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
        for (let at = 0; at < plain.length; at++) plain[at] = Math.imul(at + 1, seed | 1) >>> 24;
        const ours = plain.slice();
        const stream = new AesCtr(key, iv);
        let at = 0;
        for (const length of lengths) {
          if (length % 3 === 0) stream.rest();
          stream.apply(ours, at, length);
          at += length;
        }
        expect(Buffer.compare(ours, ctr(key, iv).encrypt(plain))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('runs where memory can be given back, so that the above has tried it', () => {
    expect('transfer' in ArrayBuffer.prototype).toBe(true);
  });

  it('starts its counter at zero, as relay cells want it', () => {
    const key = new Uint8Array(16).fill(7);
    const ours = new Uint8Array(512);
    new AesCtr(key).apply(ours, 0, ours.length);
    expect(Buffer.compare(ours, ctr(key, new Uint8Array(16)).encrypt(new Uint8Array(512)))).toBe(0);
  });
});
