import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { certificate, commitment, escrow } from './messages.ts';
import { type Commitment, hashOf, isBacked, noBacking, unitMsat } from './terms.ts';

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

  describe('is backed by nothing but the broker\u2019s word for it:', () => {
    const locked = (said = promised(noBacking), by = broker, escrowed = said) =>
      [
        said,
        true,
        escrow.encode(escrow.sign(by, { commitment: hashOf(commitment.encode(escrowed)), expiry })),
      ] as const;
    const grant = { payer: payer.publicKey, serial: new Uint8Array(16), limitMsat: 10n ** 9n, expiry };
    const certified = (change: Partial<typeof grant> = {}, by = broker) =>
      certificate.encode(certificate.sign(by, { ...grant, ...change }));
    const own = certified();
    const other = certified({ serial: new Uint8Array(16).fill(1) });
    const cheap = commitment.sign(payer, { ...promised(noBacking), unitMsat: unitMsat - 1n });
    type Case = readonly [string, boolean, readonly [Commitment, boolean, Uint8Array]];
    const cases: readonly Case[] = [
      ['an escrow', true, locked()],
      ['an escrow that the payer signed', false, locked(undefined, payer)],
      ['an escrow of another promise', false, locked(promised(noBacking), broker, cheap)],
      ['an escrow of a promise that names a certificate', false, locked(promised(hashOf(own)))],
      ['an escrow of words that cost more to look at than they are worth', false, locked(cheap)],
      ['a certificate', true, [promised(hashOf(own)), false, own] as const],
      ['a certificate that the promise does not name', false, [promised(hashOf(own)), false, other] as const],
      ...[
        ['a certificate that the payer signed', certified({}, payer)] as const,
        ['a certificate of another payer', certified({ payer: payee.publicKey })] as const,
      ].map(([what, made]): Case => [what, false, [promised(hashOf(made)), false, made]]),
      ['a certificate shown as an escrow', false, [promised(hashOf(own)), true, own] as const],
    ];
    it.each(cases)('%s: %s', (_, backed, [said, prepaid, backing]) => {
      expect(isBacked(said, prepaid, backing, broker.publicKey)).toBe(backed);
    });
  });
});
