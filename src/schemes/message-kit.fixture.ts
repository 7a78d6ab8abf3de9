import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

/** Whatever a field of a message may hold. */
export const any = {
  bytes,
  u8: fc.nat(255),
  u32: fc.integer({ min: 0, max: 0xffffffff }),
  u64: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  key: bytes(33),
  nonce: bytes(16),
  signature: bytes(64),
  endpoint: fc.record({ host: fc.constantFrom('127.0.0.1', '::1', '10.0.0.9'), port: fc.nat(65_535) }),
};

interface Message {
  encode(value: never): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** A message, what it may hold, and its length where it has but one. */
export type MessageCase = readonly [
  name: string,
  message: Message,
  values: fc.Arbitrary<unknown>,
  length?: number,
];

export function describeMessages(scheme: string, cases: readonly MessageCase[]): void {
  describe(`each message of ${scheme}`, () => {
    it.each(cases.map(([name, ...rest]) => ({ name, rest })))(
      '$name comes back as it was, and cut it is none',
      ({ rest: [message, values, length] }) => {
        fc.assert(
          fc.property(values, fc.double({ min: 0, max: 0.999, noNaN: true }), (value, cut) => {
            const encoded = message.encode(value as never);
            if (length !== undefined) expect(encoded.length).toBe(length);
            expect(message.decode(encoded)).toEqual(value);
            expect(message.decode(encoded.subarray(0, Math.floor(encoded.length * cut)))).toBeUndefined();
          }),
          { numRuns: 30 },
        );
      },
    );
  });
}
