import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { OneTimeKeys, oneTimePublicKey } from './one-time-keys.ts';

const entropy = {
  bytes: (length: number) => fc.sample(fc.uint8Array({ minLength: length, maxLength: length }), 1)[0],
};
const keys = new OneTimeKeys(new SigningKey(new Uint8Array(32).fill(5)), 'test');
const coin = fc.uint8Array({ minLength: 16, maxLength: 33 });

describe('the key that holds a coin', () => {
  it('is one that its payee alone can sign with, and another for each coin and each target', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(coin, made => {
        const nonce = keys.freshNonce(entropy);
        const publicKey = oneTimePublicKey(keys.targetKey(nonce).publicKey, nonce, made);
        expect(keys.holderKey(nonce, made)?.publicKey).toEqual(publicKey);
        expect(seen.has(String(publicKey))).toBe(false);
        seen.add(String(publicKey));
      }),
      { numRuns: 50 },
    );
  });

  it('comes of nonces that nobody else can make', () => {
    const nonce = keys.freshNonce(entropy);
    expect(keys.isOurs(nonce)).toBe(true);
    expect(new OneTimeKeys(new SigningKey(new Uint8Array(32).fill(6)), 'test').isOurs(nonce)).toBe(false);
    for (let at = 0; at < nonce.length; at++) {
      const changed = nonce.slice();
      changed[at] ^= 1;
      expect(keys.isOurs(changed)).toBe(false);
    }
  });
});
