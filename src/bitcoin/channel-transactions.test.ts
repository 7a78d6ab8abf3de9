import { Transaction } from 'bitcoinjs-lib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes, toHex } from '../base/bytes.ts';
import { signDigest, verifyDigest } from '../crypto/ecdsa.ts';
import { type ChannelTerms, contractOutputScript, contractScript } from './contract-tx.ts';
import { keyPairFromSecret } from './keys.ts';
import { anchorSat, anchorScript, dustSat, PaymentTemplate, paymentVsizeMax } from './payment-tx.ts';
import { RefundTemplate } from './refund-tx.ts';
import { keyOutputScript } from './spend-coin.ts';

const payer = keyPairFromSecret(new Uint8Array(32).fill(1));
const payee = keyPairFromSecret(new Uint8Array(32).fill(2));

const someTerms = fc
  .record({
    variant: fc.constantFrom('spillman' as const, 'cltv' as const),
    capacitySat: fc.bigInt(5_000n, 9_000_000_000_000n),
    refundHeight: fc.integer({ min: 17, max: 499_999_999 }),
    feeSat: fc.bigInt(372n, 4_000n),
    txid: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    index: fc.nat(65_535),
    swapped: fc.boolean(),
  })
  .map(({ txid, index, swapped, ...rest }): ChannelTerms => {
    const [a, b] = swapped ? [payee, payer] : [payer, payee];
    return {
      ...rest,
      outpoint: { txid, index },
      payerKey: a.publicKey,
      payeeKey: b.publicKey,
      refundScript: keyOutputScript(a.publicKey),
      payoutScript: keyOutputScript(b.publicKey),
    };
  });

function secretOf(publicKey: Uint8Array): Uint8Array {
  return equalBytes(publicKey, payer.publicKey) ? payer.secret : payee.secret;
}

const part = fc.double({ min: 0, max: 1, noNaN: true });

/** A payable amount for the terms, from anywhere in the range. */
function amountAt(terms: ChannelTerms, part: number): bigint {
  const { satMax } = new PaymentTemplate(terms);
  const amount = (satMax * BigInt(Math.floor(part * 1e9))) / 1_000_000_000n;
  return amount < dustSat && amount > 0n ? dustSat : amount;
}

const termsAndAmount = fc
  .tuple(someTerms, part)
  .map(([terms, part]) => [terms, amountAt(terms, part)] as const);

describe('payments', () => {
  it('conserve the contract: N = B + A + fee + anchor', () => {
    fc.assert(
      fc.property(termsAndAmount, ([terms, paidSat]) => {
        const template = new PaymentTemplate(terms);
        const { payeeSat, payerSat } = template.shares(paidSat);
        expect(payeeSat + payerSat + terms.feeSat + anchorSat).toBe(terms.capacitySat);
        expect(payerSat === 0n || payerSat >= dustSat).toBe(true);
        expect(payeeSat).toBe(payerSat === 0n ? template.satMax : paidSat);
        const transaction = sign(template, paidSat);
        const out = transaction.outs.reduce((sum, { value }) => sum + value, 0n);
        expect(out + terms.feeSat).toBe(terms.capacitySat);
      }),
    );
  });

  it('are signed over the digest that bitcoinjs-lib computes, payment after payment', () => {
    fc.assert(
      fc.property(someTerms, fc.array(part, { minLength: 1, maxLength: 6 }), (terms, parts) => {
        const template = new PaymentTemplate(terms);
        // With one share, both, and one again: what an amount left behind is in none of the next.
        const amounts = [0n, ...parts.map(each => amountAt(terms, each)), template.satMax, dustSat];
        for (const paidSat of amounts) {
          const transaction = sign(template, paidSat);
          const digest = transaction.hashForWitnessV0(0, contractScript(terms), terms.capacitySat, 1);
          expect(toHex(template.digest(paidSat))).toBe(toHex(digest));
          const signature = signDigest(secretOf(terms.payerKey), digest);
          expect(template.signedByPayer(paidSat, signature)).toBe(
            verifyDigest(terms.payerKey, digest, signature),
          );
        }
      }),
      { numRuns: 20 },
    );
  });

  it('keep the template: version, sequence, lock time, anchor last, size', () => {
    fc.assert(
      fc.property(termsAndAmount, ([terms, paidSat]) => {
        const template = new PaymentTemplate(terms);
        const transaction = Transaction.fromBuffer(sign(template, paidSat).toBuffer());
        expect([transaction.version, transaction.locktime, transaction.ins.length]).toEqual([3, 0, 1]);
        expect(transaction.ins[0].sequence).toBe(0xffffffff);
        const anchor = transaction.outs[template.anchorIndex(paidSat)];
        expect([toHex(anchor.script), anchor.value]).toEqual([toHex(anchorScript), anchorSat]);
        expect(template.anchorIndex(paidSat)).toBe(transaction.outs.length - 1);
        expect(transaction.virtualSize() <= Number(paymentVsizeMax)).toBe(true);
        expect(toHex(template.txid(paidSat))).toBe(toHex(transaction.getHash()));
      }),
      { numRuns: 40 },
    );
  });

  it("bind the amount, the contract and the payee's key", () => {
    fc.assert(
      fc.property(termsAndAmount, fc.nat(31), ([terms, paidSat], at) => {
        const template = new PaymentTemplate(terms);
        const signature = signDigest(secretOf(terms.payerKey), template.digest(paidSat));
        expect(template.signedByPayer(paidSat, signature)).toBe(true);
        const more = paidSat + dustSat;
        if (more <= template.satMax && template.shares(paidSat).payerSat >= dustSat) {
          expect(template.signedByPayer(more, signature)).toBe(false);
        }
        const txid = terms.outpoint.txid.slice();
        txid[at] ^= 1;
        const elsewhere = new PaymentTemplate({ ...terms, outpoint: { ...terms.outpoint, txid } });
        expect(elsewhere.signedByPayer(paidSat, signature)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it('never leave an output of dust, around each limit', () => {
    const terms = fc.sample(someTerms, { seed: 1, numRuns: 1 })[0];
    const template = new PaymentTemplate({ ...terms, capacitySat: 10_000n, feeSat: 400n });
    const { satMax } = template;
    expect(satMax).toBe(9_360n);
    expect(template.shares(satMax - 294n)).toEqual({ payeeSat: satMax - 294n, payerSat: 294n });
    expect(template.shares(satMax - 293n)).toEqual({ payeeSat: satMax, payerSat: 0n });
    expect(template.shares(satMax)).toEqual({ payeeSat: satMax, payerSat: 0n });
    expect(template.shares(0n)).toEqual({ payeeSat: 0n, payerSat: satMax });
    for (const wrong of [-1n, 1n, 293n, satMax + 1n, 2n ** 64n - 1n]) {
      expect(() => template.shares(wrong)).toThrow();
    }
  });
});

describe('the refund', () => {
  it('is locked until T and returns all but the fee', () => {
    fc.assert(
      fc.property(someTerms, terms => {
        const refund = new RefundTemplate(terms);
        const own = signDigest(secretOf(terms.payerKey), refund.digest());
        const other = signDigest(secretOf(terms.payeeKey), refund.digest());
        expect(refund.signedByPayee(other)).toBe(true);
        expect(refund.signedByPayee(own)).toBe(false);
        const transaction = refund.transaction(own, terms.variant === 'spillman' ? other : undefined);
        expect(transaction.locktime).toBe(terms.refundHeight);
        expect(transaction.ins[0].sequence).toBe(0xfffffffe);
        expect(transaction.outs).toHaveLength(1);
        expect(transaction.outs[0].value + terms.feeSat).toBe(terms.capacitySat);
        expect(toHex(transaction.getHash())).toBe(toHex(refund.txid()));
        const digest = transaction.hashForWitnessV0(0, contractScript(terms), terms.capacitySat, 1);
        expect(toHex(refund.digest())).toBe(toHex(digest));
      }),
      { numRuns: 40 },
    );
  });
});

describe('the contract', () => {
  it('is 71 bytes of 2-of-2 with ordered keys, and a P2WSH output', () => {
    const [terms] = fc.sample(someTerms, { seed: 2, numRuns: 1 });
    const spillman = { ...terms, variant: 'spillman' as const };
    expect(contractScript(spillman)).toHaveLength(71);
    const swapped = { ...spillman, payerKey: spillman.payeeKey, payeeKey: spillman.payerKey };
    expect(toHex(contractScript(swapped))).toBe(toHex(contractScript(spillman)));
    expect(contractOutputScript(terms)).toHaveLength(34);
  });
});

function sign(template: PaymentTemplate, paidSat: bigint): Transaction {
  const digest = template.digest(paidSat);
  const { payerKey, payeeKey } = template.terms;
  return template.transaction(
    paidSat,
    signDigest(secretOf(payerKey), digest),
    signDigest(secretOf(payeeKey), digest),
  );
}
