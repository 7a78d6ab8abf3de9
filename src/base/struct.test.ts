import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countedList,
  fixedBytes,
  restBytes,
  restList,
  sizedBytes,
  struct,
  u8,
  u16,
  u32,
  u64,
} from './struct.ts';

const sample = struct({
  small: u8,
  wide: u16,
  key: fixedBytes(4),
  inner: struct({ amount: u64, list: countedList(u8, u32) }),
  sized: sizedBytes(u16, 100),
  pairs: restList(u16),
});

const arbitrary = fc.record({
  small: fc.nat(255),
  wide: fc.nat(65_535),
  key: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  inner: fc.record({
    amount: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    list: fc.array(fc.nat(0xffffffff), { maxLength: 20 }),
  }),
  sized: fc.uint8Array({ maxLength: 100 }),
  pairs: fc.array(fc.nat(65_535), { maxLength: 10 }),
});

describe('struct', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(arbitrary, value => {
        expect(sample.decode(sample.encode(value))).toEqual(value);
      }),
    );
  });

  it('refuses every shorter input that cannot be whole, and never throws', () => {
    const whole = struct({ key: fixedBytes(4), sized: sizedBytes(u8), rest: u16 });
    const bytes = whole.encode({ key: new Uint8Array(4), sized: new Uint8Array(7), rest: 5 });
    for (let length = 0; length < bytes.length; length++) {
      expect(whole.decode(bytes.subarray(0, length))).toBeUndefined();
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => void sample.decode(bytes)));
  });

  it('keeps what it read when the bytes change, in a Buffer as well', () => {
    const bytes = Buffer.from([1, 2, 3, 4]);
    const read = struct({ key: fixedBytes(2), rest: restBytes }).decode(bytes);
    bytes.fill(9);
    expect(read).toEqual({ key: Buffer.from([1, 2]), rest: Buffer.from([3, 4]) });
  });

  it('minds bytes behind the last field unless they are padding', () => {
    const one = struct({ value: u8 });
    expect(one.decode(Uint8Array.of(1, 2))).toBeUndefined();
    expect(one.decodePadded(Uint8Array.of(1, 2))).toEqual({ value: 1 });
  });

  it('owns the bytes it decoded', () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const value = struct({ rest: restBytes }).decode(bytes);
    bytes.fill(9);
    expect(value?.rest).toEqual(Uint8Array.of(1, 2, 3));
  });

  it('refuses lengths above a cap and asserts on our own', () => {
    const capped = struct({ value: sizedBytes(u8, 3) });
    expect(capped.decode(Uint8Array.of(4, 0, 0, 0, 0))).toBeUndefined();
    expect(() => capped.encode({ value: new Uint8Array(4) })).toThrow('at most 3 bytes');
  });
});
