import { Transaction } from 'bitcoinjs-lib';
import { dustSat } from './payment-tx.ts';
import { assertPays } from './second-look.ts';
import { type SpendableCoin, signCoinInput } from './spend-coin.ts';

const replaceableSequence = 0xfffffffd;

/** Virtual bytes of a transaction of so many P2WPKH inputs and one P2WPKH output, rounded up. */
export function sweepVsize(inputs: number): bigint {
  return 42n + 68n * BigInt(inputs);
}

/** All coins into one output; undefined if they cannot pay the fee. */
export function sweepTransaction(
  coins: readonly SpendableCoin[],
  script: Uint8Array,
  feeSat: bigint,
): Transaction | undefined {
  const leftSat = coins.reduce((sum, { valueSat }) => sum + valueSat, 0n) - feeSat;
  if (leftSat < dustSat) return undefined;
  const transaction = new Transaction();
  transaction.version = 2;
  for (const { outpoint } of coins) transaction.addInput(outpoint.txid, outpoint.index, replaceableSequence);
  transaction.addOutput(script, leftSat);
  coins.forEach((coin, index) => {
    signCoinInput(transaction, index, coin);
  });
  assertPays(transaction, [{ script, valueSat: leftSat }]);
  return transaction;
}
