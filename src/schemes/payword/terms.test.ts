import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { certificate, commitment, escrow } from './messages.ts';
import { hashOf, isBacked, noBacking, unitMsat } from './terms.ts';

const [broker, payer, payee] = [1, 2, 3].map(byte => new SigningKey(new Uint8Array(32).fill(byte)));
const expiry = 2_000_000_000;
const count = 100;

function promised(backing: Uint8Array) {
  const parties = { payer: payer.publicKey, payee: payee.publicKey, name: new Uint8Array(16) };
  const terms = { root: new Uint8Array(32), unitMsat, count, expiry, backing };
  return commitment.sign(payer, { ...parties, ...terms });
}

describe('a promise of PayWord', () => {
  it.each([
    [0, true],
    [-1, false],
  ])('is backed by an escrow that ends %i s after it: %s', (later, backed) => {
    const said = promised(noBacking);
    const locked = { commitment: hashOf(commitment.encode(said)), expiry: expiry + later };
    const backing = escrow.encode(escrow.sign(broker, locked));
    expect(isBacked(said, true, backing, broker.publicKey)).toBe(backed);
  });

  it.each([
    [0, 0n, true],
    [-1, 0n, false],
    [0, -1n, false],
  ])('is backed by a certificate that ends %i s after it, for %i msat more: %s', (later, more, backed) => {
    const limitMsat = unitMsat * BigInt(count) + more;
    const granted = { payer: payer.publicKey, serial: new Uint8Array(16), limitMsat, expiry: expiry + later };
    const backing = certificate.encode(certificate.sign(broker, granted));
    expect(isBacked(promised(hashOf(backing)), false, backing, broker.publicKey)).toBe(backed);
  });
});
