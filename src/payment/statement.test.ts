import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixedBytes, u32 } from '../base/struct.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { statement } from './statement.ts';

const key = new SigningKey(new Uint8Array(32).fill(3));
const other = new SigningKey(new Uint8Array(32).fill(4));
const promise = statement('test promise', { to: fixedBytes(4), sum: u32 });
const threat = statement('test threat', { to: fixedBytes(4), sum: u32 });
const said = promise.sign(key, { to: Uint8Array.of(1, 2, 3, 4), sum: 7 });

describe('a statement', () => {
  it('is its fields and 64 bytes, and comes back as it was', () => {
    const bytes = promise.encode(said);
    expect(bytes.length).toBe(4 + 4 + 64);
    expect(promise.decode(bytes)).toEqual(said);
  });

  it('is by who signed it, and is no other kind of statement', () => {
    expect(promise.isBy(key.publicKey, said)).toBe(true);
    expect(promise.isBy(other.publicKey, said)).toBe(false);
    expect(promise.isBy(new Uint8Array(33), said)).toBe(false);
    expect(threat.isBy(key.publicKey, said)).toBe(false);
  });

  it('is not by who signed it once a bit of it differs', () => {
    const bytes = promise.encode(said);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length * 8 - 1 }), bit => {
        const changed = bytes.slice();
        changed[bit >> 3] ^= 1 << (bit & 7);
        const read = promise.decode(changed);
        expect(read !== undefined && promise.isBy(key.publicKey, read)).toBe(false);
      }),
    );
  });
});
