import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIp, isInternalIp, parseIp } from './ip.ts';

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

  it.each([
    ['0.0.0.0 10.1.2.3 127.0.0.1 169.254.1.1 172.16.0.1 172.31.0.1 192.168.0.1', true],
    [':: ::1 fc00::1 fd12::1 fe80::1 fec0::1 ::ffff:10.0.0.1', true],
    ['9.9.9.9 11.0.0.1 172.15.0.1 172.32.0.1 192.167.0.1 169.253.0.1', false],
    ['2001:db8::1 ::2 fe00::1 ff02::1 ::ffff:9.9.9.9', false],
  ])('knows who is at home: %s', (texts, internal) => {
    for (const text of texts.split(' ')) expect(isInternalIp(parseIp(text)!), text).toBe(internal);
  });
});
