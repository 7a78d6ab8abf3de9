import { crypto, opcodes, payments, script, Transaction } from 'bitcoinjs-lib';
import { concatBytes } from '../base/bytes.ts';
import { signDigest } from '../crypto/ecdsa.ts';
import type { Outpoint } from '../ports.ts';
import type { KeyPair } from './keys.ts';
import { assertKeyScript } from './second-look.ts';

/** An unspent P2WPKH output and the key that spends it. */
export interface SpendableCoin {
  readonly outpoint: Outpoint;
  readonly valueSat: bigint;
  readonly key: KeyPair;
}

/** P2WPKH, 22 bytes. spec: bip-0141 */
export function keyOutputScript(publicKey: Uint8Array): Uint8Array {
  const output = concatBytes(Uint8Array.of(opcodes.OP_0, 20), crypto.hash160(publicKey));
  assertKeyScript(output, publicKey);
  return output;
}

/** Signs input `index`, which spends `coin`. spec: bip-0143 (P2WPKH) */
export function signCoinInput(transaction: Transaction, index: number, coin: SpendableCoin): void {
  const scriptCode = payments.p2pkh({ hash: crypto.hash160(coin.key.publicKey) }).output as Uint8Array;
  const digest = transaction.hashForWitnessV0(index, scriptCode, coin.valueSat, Transaction.SIGHASH_ALL);
  const signature = script.signature.encode(signDigest(coin.key.secret, digest), Transaction.SIGHASH_ALL);
  transaction.setWitness(index, [signature, coin.key.publicKey]);
}
