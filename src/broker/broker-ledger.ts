import { walletDescriptor } from '../bitcoin/descriptor.ts';
import { transactionOf } from '../bitcoin/raw-transaction.ts';
import { Wallet } from '../bitcoin/wallet.ts';
import type { Value } from '../payment/scheme.ts';
import type { Outpoint, StorePort } from '../ports.ts';
import { AccountBook, type Books } from './account-book.ts';
import { depositBook, walletPrefix, withdrawalBook } from './till-records.ts';

/** A broker's records, for whoever compares them with a chain; it may be running. */
export interface BrokerLedger {
  readonly books: Books;
  /** In blocks, but not deep enough to count. */
  readonly waitingSat: bigint;
  /** Withdrawals ever made, with their fees, by hex of their ids. */
  readonly withdrawals: ReadonlyMap<string, Withdrawal>;
  /** The wallet's coins, as bitcoind looks for them. */
  readonly descriptor: string;
  readonly addresses: number;
}

/** Under way until its coins are spent on the chain; those may be change of another that is under way. */
interface Withdrawal {
  readonly paidSat: Value;
  readonly spends: readonly Outpoint[];
}

/** @param key the broker's own, @param walletSeed what its addresses follow from. */
export function readBrokerLedger(
  store: Pick<StorePort, 'get' | 'list'>,
  key: Uint8Array,
  walletSeed: Uint8Array,
): BrokerLedger {
  const deposits = [...depositBook(store).entries()].map(([, deposit]) => deposit);
  const wallet = new Wallet({ seed: walletSeed, prefix: walletPrefix }, store);
  return {
    books: new AccountBook(store, key).books,
    waitingSat: deposits.reduce((sum, { sat, credited }) => (credited === 0 ? sum + sat : sum), 0n),
    withdrawals: new Map(
      [...withdrawalBook(store).entries()].map(([id, { paidSat, raw }]) => {
        const spends = transactionOf(raw).ins.map(({ hash, index }) => ({
          txid: new Uint8Array(hash),
          index,
        }));
        return [id, { paidSat, spends }];
      }),
    ),
    descriptor: walletDescriptor(walletSeed, false),
    addresses: wallet.watchedAddresses,
  };
}
