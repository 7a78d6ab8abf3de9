import { networks, Psbt, payments } from 'bitcoinjs-lib';
import { describe, expect, it } from 'vitest';
import { signDigest } from '../crypto/ecdsa.ts';
import { HdKey, type KeyPair } from './keys.ts';
import { fundingOfPsbt } from './psbt-funding.ts';
import { keyOutputScript } from './spend-coin.ts';

const key = HdKey.fromSeed(new Uint8Array(32).fill(4)).keyPair();
const contract = payments.p2wsh({ hash: new Uint8Array(32).fill(6) }).output as Uint8Array;
const signer = ({ publicKey, secret }: KeyPair) => ({
  publicKey,
  sign: (digest: Uint8Array) => signDigest(secret, digest),
});

/** A PSBT of one coin that pays `valueSat` to the contract, behind an output of the payer's own. */
function psbtPaying(valueSat: bigint): Psbt {
  const psbt = new Psbt({ network: networks.regtest });
  const script = keyOutputScript(key.publicKey);
  psbt.addInput({ hash: '07'.repeat(32), index: 1, witnessUtxo: { script, value: 100_000n } });
  psbt.addOutput({ script, value: 99_000n - valueSat });
  psbt.addOutput({ script: contract, value: valueSat });
  return psbt;
}

describe('a contract that another wallet pays for', () => {
  const codeOf = (text: string) => {
    const funding = fundingOfPsbt(text, contract, 50_000n);
    return funding.ok ? 'ok' : funding.fault.detail;
  };

  it('is taken from a signed PSBT, finalized or not', () => {
    for (const finalize of [false, true]) {
      const psbt = psbtPaying(50_000n).signAllInputs(signer(key));
      if (finalize) psbt.finalizeAllInputs();
      const funding = fundingOfPsbt(`${psbt.toBase64()}\n`, contract, 50_000n);
      if (!funding.ok) throw new Error(funding.fault.detail);
      const { transaction, outpoint } = funding.value;
      expect(outpoint).toEqual({ txid: transaction.getHash(), index: 1 });
      expect(transaction.ins[0].witness).toHaveLength(2);
    }
  });

  it('is refused unsigned, for another amount, and from what is no PSBT', () => {
    expect(codeOf(psbtPaying(50_000n).toBase64())).toContain('not signed in full');
    for (const valueSat of [49_999n, 50_001n])
      expect(codeOf(psbtPaying(valueSat).signAllInputs(signer(key)).toBase64())).toContain('exactly 50000');
    for (const text of ['', 'nonsense', 'cHNidP8=', 'ff']) expect(codeOf(text)).toContain('no PSBT');
  });

  it('is refused where an input could change the id', () => {
    const legacy = payments.p2pkh({ pubkey: key.publicKey }).output as Uint8Array;
    const before = psbtPaying(1_000n).signAllInputs(signer(key)).finalizeAllInputs().extractTransaction(true);
    before.outs[0].script = legacy;
    const psbt = new Psbt({ network: networks.regtest });
    psbt.addInput({ hash: before.getId(), index: 0, nonWitnessUtxo: before.toBuffer() });
    psbt.addOutput({ script: contract, value: 50_000n });
    expect(codeOf(psbt.signAllInputs(signer(key)).toBase64())).toContain('a legacy coin');
  });
});
