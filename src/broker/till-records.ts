import { fixedBytes, type Holds, restBytes, struct, u8, u32, u64 } from '../base/struct.ts';
import { RecordBook } from '../payment/record-book.ts';
import type { StorePort } from '../ports.ts';

/** What a till keeps, by the keys that its records lie under. */

type Store = Pick<StorePort, 'list'>;

export const walletPrefix = 'broker/wallet/';

const addressRecord = struct({ account: fixedBytes(33), used: u8 });
const depositRecord = struct({ account: fixedBytes(33), sat: u64, height: u32, credited: u8 });
export type Deposit = Holds<typeof depositRecord>;
const withdrawalRecord = struct({ account: fixedBytes(33), paidSat: u64, raw: restBytes });
export type Withdrawal = Holds<typeof withdrawalRecord>;
const withdrawnRecord = struct({ txid: fixedBytes(32), feeSat: u64 });

/** Whose an address is, by its index in the wallet; `used`: something was paid to it. */
export function addressBook(store: Store) {
  return new RecordBook(store, 'broker/address/', addressRecord);
}

/** What was paid in, by outpoint; `credited`: it is in the account's balance. */
export function depositBook(store: Store) {
  return new RecordBook(store, 'broker/deposit/', depositRecord);
}

/** Transactions that pay out, by id; `paidSat` with the fee. */
export function withdrawalBook(store: Store) {
  return new RecordBook(store, 'broker/withdrawal/', withdrawalRecord);
}

/** What was answered to each request for a withdrawal, by account and the request's id. */
export function withdrawnBook(store: Store) {
  return new RecordBook(store, 'broker/withdrawn/', withdrawnRecord);
}
