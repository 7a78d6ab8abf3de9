import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIp, parseIp } from './ip.ts';

describe('ip', () => {
  it('formats and parses every address back', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4, 16),
        fc.infiniteStream(fc.constantFrom(0, 0, 0, 1, 255, 18)),
        (size, stream) => {
          const bytes = Uint8Array.from({ length: size }, () => stream.next().value);
          expect(parseIp(formatIp(bytes))).toEqual(bytes);
        },
      ),
    );
  });

  it('agrees with Node on what is an address', () => {
    const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.stringMatching(/^[0-9a-f:.]{0,20}$/));
    fc.assert(
      fc.property(text, text => {
        expect(parseIp(text) !== undefined).toBe(isIPv4(text) || isIPv6(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['1:0:0:0:0:0:0:0', '1::'],
  ])('writes %s as RFC 5952 has it', (text, canonical) => {
    const bytes = parseIp(text);
    expect(bytes && formatIp(bytes)).toBe(canonical);
  });

  it.each([
    '127.1',
    '0177.0.0.1',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3',
    ':::',
    '1::2::3',
    'fe80::1%eth0',
    '1:2:3:4:5:6:7',
  ])('refuses %s', text => expect(parseIp(text)).toBeUndefined());
});
