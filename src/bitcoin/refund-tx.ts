import { Transaction } from 'bitcoinjs-lib';
import { verifyDigest } from '../crypto/ecdsa.ts';
import { type ChannelTerms, contractScript, refundWitness } from './contract-tx.ts';
import { outpointBytes } from './outpoint.ts';
import { OneInputSighash, serializeOutput } from './sighash.ts';

const refundVersion = 2;
/** Not final, so that the lock time counts. spec: bip-0065 */
const lockedSequence = 0xfffffffe;

/**
 * The refund: the whole contract back to the payer, valid from height T. Both sides build it from the terms; the payee
 * signs it before the contract is sent (spillman), or the script allows it by itself (cltv).
 */
export class RefundTemplate {
  readonly terms: ChannelTerms;

  constructor(terms: ChannelTerms) {
    this.terms = terms;
  }

  get valueSat(): bigint {
    return this.terms.capacitySat - this.terms.feeSat;
  }

  digest(): Uint8Array {
    const { terms } = this;
    const sighash = new OneInputSighash(refundVersion, terms.refundHeight, {
      outpoint: outpointBytes(terms.outpoint),
      sequence: lockedSequence,
      scriptCode: contractScript(terms),
      valueSat: terms.capacitySat,
    });
    return sighash.digest(serializeOutput(terms.refundScript, this.valueSat));
  }

  /** True if the payee's signature makes the refund spendable by the payer. */
  signedByPayee(signature: Uint8Array): boolean {
    return verifyDigest(this.terms.payeeKey, this.digest(), signature);
  }

  transaction(payerSignature: Uint8Array, payeeSignature: Uint8Array | undefined): Transaction {
    const transaction = this.#unsigned();
    transaction.setWitness(0, refundWitness(this.terms, payerSignature, payeeSignature));
    return transaction;
  }

  txid(): Uint8Array {
    return this.#unsigned().getHash();
  }

  #unsigned(): Transaction {
    const transaction = new Transaction();
    transaction.version = refundVersion;
    transaction.locktime = this.terms.refundHeight;
    transaction.addInput(this.terms.outpoint.txid, this.terms.outpoint.index, lockedSequence);
    transaction.addOutput(this.terms.refundScript, this.valueSat);
    return transaction;
  }
}
