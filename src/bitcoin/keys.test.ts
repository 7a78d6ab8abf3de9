import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../base/bytes.ts';
import { isPublicKey, signDigest, unpackPublicKey, verifyDigest } from '../crypto/ecdsa.ts';
import { HdKey, harden, keyPairFromSecret, secretToWif } from './keys.ts';

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('key tree', () => {
  it('derives as BIP32, test vector 1', () => {
    const master = HdKey.fromSeed(fromHex('000102030405060708090a0b0c0d0e0f')!);
    expect(toHex(master.secret)).toBe('e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35');
    expect(toHex(master.path(harden(0)).secret)).toBe(
      'edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea',
    );
    expect(toHex(master.path(harden(0), 1).secret)).toBe(
      '3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368',
    );
  });

  it('derives the first address key of BIP84', () => {
    const seed =
      '5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1' +
      '9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4';
    const key = HdKey.fromSeed(fromHex(seed)!).path(harden(84), harden(0), harden(0), 0, 0);
    expect(toHex(key.keyPair().publicKey)).toBe(
      '0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c',
    );
  });

  it('names keys apart', () => {
    const root = HdKey.fromSeed(new Uint8Array(32).fill(1));
    const name = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(name, fc.nat(127), (bytes, bit) => {
        const other = bytes.slice();
        other[bit >> 3] ^= 1 << (bit & 7);
        expect(toHex(root.named(other).secret)).not.toBe(toHex(root.named(bytes).secret));
      }),
      { numRuns: 20 },
    );
  });

  it('writes wallet import format', () => {
    expect(secretToWif(new Uint8Array(32).fill(1))).toMatch(/^c/);
  });
});

describe('signatures', () => {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const key = keyPairFromSecret(new Uint8Array(32).fill(5));

  it('are low-S, and their high-S twins are refused', () => {
    fc.assert(
      fc.property(digest, bytes => {
        const signature = signDigest(key.secret, bytes);
        expect(verifyDigest(key.publicKey, bytes, signature)).toBe(true);
        const s = BigInt(`0x${toHex(signature.subarray(32))}`);
        expect(s <= order / 2n).toBe(true);
        const twin = signature.slice();
        twin.set(fromHex((order - s).toString(16).padStart(64, '0'))!, 32);
        expect(verifyDigest(key.publicKey, bytes, twin)).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  it('are judged alike by a key and by its unpacked form', () => {
    const flipped = fc.option(fc.nat(511), { nil: undefined });
    fc.assert(
      fc.property(digest, flipped, (bytes, bit) => {
        const signature = signDigest(key.secret, bytes);
        if (bit !== undefined) signature[bit >> 3] ^= 1 << (bit & 7);
        expect(verifyDigest(key.publicKey, bytes, signature)).toBe(bit === undefined);
        expect(verifyDigest(unpackPublicKey(key.publicKey), bytes, signature)).toBe(bit === undefined);
      }),
      { numRuns: 50 },
    );
    const noPoint = new Uint8Array(33).fill(2, 0, 1).fill(255, 1);
    expect(verifyDigest(unpackPublicKey(noPoint), new Uint8Array(32), new Uint8Array(64).fill(1))).toBe(
      false,
    );
  });

  it('of any bytes are judged without a throw', () => {
    const bytes = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(bytes, digest, bytes, (publicKey, hash, signature) => {
        expect(verifyDigest(publicKey, hash, signature)).toBe(false);
        expect(isPublicKey(publicKey)).toBe(false);
      }),
    );
    for (const fill of [0, 255]) {
      expect(verifyDigest(key.publicKey, new Uint8Array(32), new Uint8Array(64).fill(fill))).toBe(false);
    }
  });
});
