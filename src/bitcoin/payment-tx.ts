import { Transaction } from 'bitcoinjs-lib';
import { assert } from '../base/assert.ts';
import { concatBytes } from '../base/bytes.ts';
import { firstPaymentSatMin } from '../base/limits.ts';
import { unpackPublicKey, verifyDigest } from '../crypto/ecdsa.ts';
import { type ChannelTerms, contractScript, paymentWitness } from './contract-tx.ts';
import { outpointBytes } from './outpoint.ts';
import { OneInputSighash, OutputTemplate, serializeOutput } from './sighash.ts';

/** Pay-to-anchor: anybody may spend it, to raise the fee by a child. 240 sat is bitcoind's dust limit for it. */
export const anchorScript = Uint8Array.of(0x51, 0x02, 0x4e, 0x73);
export const anchorSat = 240n;
/** The dust limit of a P2WPKH output; P2WSH and P2TR are at 330, so their scripts are not offered as shares. */
export const dustSat = 294n;
/** Room for both shares, the anchor and both signatures; measured 182 (spillman) and 185 (cltv). */
export const paymentVsizeMax = 186n;

/** Version 3: at most one child, of 1,000 virtual bytes, so that nobody can pin it. spec: bip-0431 */
const paymentVersion = 3;
const finalSequence = 0xffffffff;
const anchor = serializeOutput(anchorScript, anchorSat);

/** What each side gets in the payment of d; a share that would be dust is 0 and goes to the other. */
export interface Shares {
  readonly payeeSat: bigint;
  readonly payerSat: bigint;
}

/** The most that a channel can pay. */
export function paymentSatMax({ capacitySat, feeSat }: Pick<ChannelTerms, 'capacitySat' | 'feeSat'>): bigint {
  return capacitySat - feeSat - anchorSat;
}

/** A smaller contract could pay nothing, and its refund might have no output that bitcoind takes. */
export function capacitySatLeast(feeSat: bigint): bigint {
  return feeSat + anchorSat + firstPaymentSatMin;
}

/**
 * The channel's payments. The transaction for a cumulative amount d follows from the terms, so that only d and a
 * signature travel, and neither side ever signs bytes that the other made. d = 0 gives all to the payer.
 */
export class PaymentTemplate {
  readonly terms: ChannelTerms;
  readonly satMax: bigint;
  readonly #sighash: OneInputSighash;
  /** Both shares and the anchor: nearly all payments. */
  readonly #bothShares: OutputTemplate;
  /** The payer's key in the form that is quickest to verify with. */
  #payerPoint: Uint8Array | undefined;

  constructor(terms: ChannelTerms) {
    this.terms = terms;
    this.satMax = paymentSatMax(terms);
    this.#bothShares = new OutputTemplate([terms.payoutScript, terms.refundScript], anchor);
    this.#sighash = new OneInputSighash(paymentVersion, 0, {
      outpoint: outpointBytes(terms.outpoint),
      sequence: finalSequence,
      scriptCode: contractScript(terms),
      valueSat: terms.capacitySat,
    });
  }

  /** True for an amount that a payment can have: nothing, or above dust and within the channel. */
  allows(paidSat: bigint): boolean {
    return paidSat === 0n || (paidSat >= dustSat && paidSat <= this.satMax);
  }

  shares(paidSat: bigint): Shares {
    assert(this.allows(paidSat), 'a payment is nothing, or above dust and within the channel');
    const payerSat = this.satMax - paidSat;
    return payerSat < dustSat ? { payeeSat: this.satMax, payerSat: 0n } : { payeeSat: paidSat, payerSat };
  }

  /** What both sign. */
  digest(paidSat: bigint): Uint8Array {
    const { payeeSat, payerSat } = this.shares(paidSat);
    if (payeeSat > 0n && payerSat > 0n)
      return this.#sighash.digest(this.#bothShares.with(payeeSat, payerSat));
    const outputs = this.#outputs(paidSat).map(({ script, valueSat }) => serializeOutput(script, valueSat));
    return this.#sighash.digest(concatBytes(...outputs, anchor));
  }

  /** True if the payer's signature makes the payment of `paidSat`. */
  signedByPayer(paidSat: bigint, signature: Uint8Array): boolean {
    this.#payerPoint ??= unpackPublicKey(this.terms.payerKey);
    return verifyDigest(this.#payerPoint, this.digest(paidSat), signature);
  }

  /** Complete with both signatures, 64 bytes each. */
  transaction(paidSat: bigint, payerSignature: Uint8Array, payeeSignature: Uint8Array): Transaction {
    const transaction = this.#unsigned(paidSat);
    transaction.setWitness(0, paymentWitness(this.terms, payerSignature, payeeSignature));
    return transaction;
  }

  /** The id, in wire order; it does not depend on the signatures (BIP141). */
  txid(paidSat: bigint): Uint8Array {
    return this.#unsigned(paidSat).getHash();
  }

  /** Index of the anchor among the outputs. */
  anchorIndex(paidSat: bigint): number {
    return this.#outputs(paidSat).length;
  }

  #unsigned(paidSat: bigint): Transaction {
    const transaction = new Transaction();
    transaction.version = paymentVersion;
    transaction.addInput(this.terms.outpoint.txid, this.terms.outpoint.index, finalSequence);
    for (const { script, valueSat } of this.#outputs(paidSat)) transaction.addOutput(script, valueSat);
    transaction.addOutput(anchorScript, anchorSat);
    return transaction;
  }

  /** Without the anchor, which is last. */
  #outputs(paidSat: bigint): { script: Uint8Array; valueSat: bigint }[] {
    const { payeeSat, payerSat } = this.shares(paidSat);
    return [
      { script: this.terms.payoutScript, valueSat: payeeSat },
      { script: this.terms.refundScript, valueSat: payerSat },
    ].filter(({ valueSat }) => valueSat > 0n);
  }
}
