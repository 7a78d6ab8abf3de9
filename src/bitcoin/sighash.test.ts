import { Transaction } from 'bitcoinjs-lib';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from '../base/bytes.ts';
import { outpointBytes } from './outpoint.ts';
import { OneInputSighash, serializeOutput } from './sighash.ts';
import vectors from './vectors/bip143.json' with { type: 'json' };

describe('BIP143 digests', () => {
  it.each(vectors)('$name: bitcoinjs-lib, which signs coins', vector => {
    const transaction = Transaction.fromHex(vector.unsigned);
    const scriptCode = fromHex(vector.scriptCode)!;
    const digest = transaction.hashForWitnessV0(vector.input, scriptCode, BigInt(vector.valueSat), 1);
    expect(toHex(digest)).toBe(vector.digest);
  });

  it.each(vectors.filter(({ name }) => name.startsWith('P2SH')))('$name: ours', vector => {
    const { version, locktime, ins, outs } = Transaction.fromHex(vector.unsigned);
    const [{ hash, index, sequence }] = ins;
    const sighash = new OneInputSighash(version, locktime, {
      outpoint: outpointBytes({ txid: hash, index }),
      sequence,
      scriptCode: fromHex(vector.scriptCode)!,
      valueSat: BigInt(vector.valueSat),
    });
    const outputs = concatBytes(...outs.map(({ script, value }) => serializeOutput(script, value)));
    expect(toHex(sighash.digest(outputs))).toBe(vector.digest);
  });
});
