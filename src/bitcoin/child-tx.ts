import { Transaction } from 'bitcoinjs-lib';
import type { Outpoint } from '../ports.ts';
import { anchorSat, dustSat } from './payment-tx.ts';
import { assertPays } from './second-look.ts';
import { type SpendableCoin, signCoinInput } from './spend-coin.ts';

/** A v3 child may have 1,000 virtual bytes; one anchor, one coin and one output are far below. spec: bip-0431 */
export const childVersion = 3;
/** Measured: anchor and one P2WPKH input, one P2WPKH output. Without the coin there is nothing to pay from. */
export const childVsize = 151n;
const replaceableSequence = 0xfffffffd;

/** A stuck parent with an anchor, and what its child shall make of it. */
export interface Bump {
  readonly anchor: Outpoint;
  readonly parentVsize: bigint;
  readonly parentFeeSat: bigint;
  /** Feerate of parent and child together. */
  readonly satPerKvb: bigint;
  /** What the child pays at least, so that it replaces an earlier child. */
  readonly feeSatMin: bigint;
  /** Pays the fee: a reserved coin, or the payee's own share. */
  readonly coin: SpendableCoin;
  readonly changeScript: Uint8Array;
}

/** The fee by which the child lifts the package to the feerate. */
export function childFeeSat(
  bump: Pick<Bump, 'parentVsize' | 'parentFeeSat' | 'satPerKvb' | 'feeSatMin'>,
): bigint {
  const wanted = ((bump.parentVsize + childVsize) * bump.satPerKvb + 999n) / 1000n - bump.parentFeeSat;
  return wanted > bump.feeSatMin ? wanted : bump.feeSatMin;
}

/** Spends the anchor and a coin; undefined if the coin cannot pay the fee. */
export function childTransaction(bump: Bump): Transaction | undefined {
  const transaction = unsignedChild(bump);
  if (transaction !== undefined) signCoinInput(transaction, 1, bump.coin);
  return transaction;
}

/** The same, its second input still to be signed by whoever has the coin's key. */
export function unsignedChild(
  bump: Omit<Bump, 'coin'> & { readonly coin: Omit<SpendableCoin, 'key'> },
): Transaction | undefined {
  const changeSat = bump.coin.valueSat + anchorSat - childFeeSat(bump);
  if (changeSat < dustSat) return undefined;
  const transaction = new Transaction();
  transaction.version = childVersion;
  transaction.addInput(bump.anchor.txid, bump.anchor.index, replaceableSequence);
  transaction.addInput(bump.coin.outpoint.txid, bump.coin.outpoint.index, replaceableSequence);
  transaction.addOutput(bump.changeScript, changeSat);
  assertPays(transaction, [{ script: bump.changeScript, valueSat: changeSat }]);
  return transaction;
}
