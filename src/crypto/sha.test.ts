import { createHash, createHmac, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { HmacSha256, hkdfSha256, sha1, sha256 } from './sha.ts';

const bytes = fc.uint8Array({ maxLength: 150 });
const parts = fc.array(bytes, { maxLength: 4 });

test('hashes of parts are those of OpenSSL', () => {
  fc.assert(
    fc.property(parts, given => {
      const whole = Buffer.concat(given);
      expect(toHex(sha1(...given))).toBe(createHash('sha1').update(whole).digest('hex'));
      expect(toHex(sha256(...given))).toBe(createHash('sha256').update(whole).digest('hex'));
    }),
  );
});

test("HMAC and HKDF are OpenSSL's, for keys of any length, under one key again and again", () => {
  fc.assert(
    fc.property(
      bytes,
      fc.array(parts, { maxLength: 3 }),
      bytes,
      fc.nat(255),
      (key, messages, info, length) => {
        const keyed = new HmacSha256(key);
        for (const message of messages) {
          const whole = Buffer.concat(message);
          expect(toHex(keyed.digest(...message))).toBe(createHmac('sha256', key).update(whole).digest('hex'));
          const material = new Uint8Array(hkdfSync('sha256', whole, key, info, length));
          expect(toHex(hkdfSha256(keyed, whole, info, length))).toBe(toHex(material));
        }
      },
    ),
  );
});
