import fc from 'fast-check';
import { expect, test } from 'vitest';
import { paymentFragmentsMax, relayBodyBytesMax } from '../base/limits.ts';
import {
  decodeReceipt,
  encodeReceipt,
  FragmentAssembler,
  fragment,
  fragmentPieceBytesMax,
  paymentMessageBytesMax,
} from './payment-messages.ts';

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

test('a message of any length comes out as it went in, one after the other', () => {
  const assembler = new FragmentAssembler();
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: paymentMessageBytesMax, size: 'max' }),
      fc.nat(65_535),
      (bytes, messageId) => {
        const bodies = fragment(messageId, bytes);
        expect(bodies.length).toBeLessThanOrEqual(paymentFragmentsMax);
        bodies.forEach((body, at) => {
          expect(body.length).toBeLessThanOrEqual(relayBodyBytesMax);
          const added = assembler.add(body);
          expect(added).toEqual({
            ok: true,
            value: at === bodies.length - 1 ? { messageId, bytes } : undefined,
          });
        });
      },
    ),
    { numRuns: 50 },
  );
});

test('fragments that are missing, doubled or mixed are refused', () => {
  const [a0, a1] = fragment(1, new Uint8Array(fragmentPieceBytesMax + 1));
  const [, b1] = fragment(2, new Uint8Array(fragmentPieceBytesMax + 1));
  const codeOf = (...bodies: Uint8Array[]) => {
    const assembler = new FragmentAssembler();
    const last = bodies.map(body => assembler.add(body)).at(-1);
    return last?.ok === false ? last.fault.code : 'taken';
  };
  expect(codeOf(a0, a1)).toBe('taken');
  expect(codeOf(a1)).toBe('FRAGMENT_OUT_OF_ORDER');
  expect(codeOf(a0, a0)).toBe('FRAGMENT_OUT_OF_ORDER');
  expect(codeOf(a0, b1)).toBe('FRAGMENT_OUT_OF_ORDER');
  expect(codeOf(new Uint8Array(5))).toBe('FRAGMENT_MALFORMED');
  expect(codeOf(Uint8Array.of(0, 1, 0, 17, 0, 0))).toBe('FRAGMENT_MALFORMED');
  expect(codeOf(Uint8Array.of(0, 1, 0, 2, 0, 0))).toBe('FRAGMENT_MALFORMED');
  expect(codeOf(Uint8Array.of(0, 1, 0, 1, 0, 2, 9))).toBe('FRAGMENT_MALFORMED');
});

test('any bytes are taken or refused, never thrown at', () => {
  const assembler = new FragmentAssembler();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 498 }), body => {
      assembler.add(body);
      decodeReceipt(body);
    }),
    { numRuns: 2_000 },
  );
});

test('a receipt comes out as it went in', () => {
  fc.assert(
    fc.property(
      fc.nat(255),
      fc.nat(65_535),
      u64,
      u64,
      u64,
      fc.uint8Array({ maxLength: 400 }),
      (status, messageId, price, balance, creditedMsat, target) => {
        const receipt = { status, messageId, price, balance, creditedMsat, target };
        expect(decodeReceipt(encodeReceipt(receipt))).toMatchObject(receipt);
      },
    ),
  );
});
