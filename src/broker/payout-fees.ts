import { payoutFeesSatMax, payoutWaitBlocks, raisedPayoutsMax } from '../base/limits.ts';
import { dustSat } from '../bitcoin/payment-tx.ts';
import type { transactionOf } from '../bitcoin/raw-transaction.ts';
import { sweepTransaction, sweepVsize } from '../bitcoin/sweep-tx.ts';
import type { Wallet } from '../bitcoin/wallet.ts';
import type { StoreWrite } from '../ports.ts';

type Transaction = ReturnType<typeof transactionOf>;

/** A withdrawal that is in no block, or a child that was made for such. */
export interface Waiting {
  /** Hex. */
  readonly id: string;
  readonly transaction: Transaction;
  /** What the broker adds by it; undefined for what an account pays for. */
  readonly addedSat: bigint | undefined;
}

export interface PayoutChild {
  readonly transaction: Transaction;
  readonly feeSat: bigint;
  /** Of the address that it pays to. */
  readonly writes: readonly StoreWrite[];
}

/**
 * Raises the fee of withdrawals that wait for a block too long, by a child that spends their change: their ids, which were told,
 * stay. A child is not replaced, since a withdrawal may spend it: one that waits too long itself gets the next.
 */
export class PayoutFees {
  readonly #wallet: Wallet;
  /** Height at which it was first found waiting, by id. */
  #since = new Map<string, number>();

  constructor(wallet: Wallet) {
    this.#wallet = wallet;
  }

  /** The child that is due, of all that wait, at that height and feerate. */
  childFor(waiting: readonly Waiting[], height: number, satPerKvb: bigint): PayoutChild | undefined {
    this.#since = new Map(waiting.map(({ id }) => [id, Math.min(this.#since.get(id) ?? height, height)]));
    const isLate = ({ id }: Waiting) => height - (this.#since.get(id) ?? height) >= payoutWaitBlocks;
    const children = waiting.filter(({ addedSat }) => addedSat !== undefined);
    if (!waiting.some(isLate) || !children.every(isLate)) return undefined;
    const ids = new Set(waiting.map(({ id }) => id));
    const coins = this.#wallet.loose(ids).slice(0, raisedPayoutsMax);
    const feeSat = this.#feeSat(waiting, coins.length, satPerKvb);
    const addedSat = children.reduce((sum, child) => sum + (child.addedSat ?? 0n), 0n);
    const haveSat = coins.reduce((sum, { valueSat }) => sum + valueSat, 0n);
    if (feeSat === undefined || addedSat + feeSat > payoutFeesSatMax || haveSat - feeSat < dustSat)
      return undefined;
    const { script, writes } = this.#wallet.takeAddress();
    const transaction = sweepTransaction(coins, script, feeSat);
    return transaction && { transaction, feeSat, writes };
  }

  /** What lifts all that wait, and a child of so many of their outputs, to the feerate; undefined: nothing, or no child can. */
  #feeSat(waiting: readonly Waiting[], coins: number, satPerKvb: bigint): bigint | undefined {
    if (coins === 0) return undefined;
    let [vsize, paidSat] = [sweepVsize(coins), 0n];
    for (const { transaction } of waiting) {
      vsize += BigInt(transaction.virtualSize());
      paidSat += this.#wallet.feeSatOf(transaction) ?? 0n;
    }
    const wanted = (vsize * satPerKvb + 999n) / 1_000n - paidSat;
    return wanted < sweepVsize(coins) ? undefined : wanted;
  }
}
