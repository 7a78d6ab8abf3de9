import { Transaction } from 'bitcoinjs-lib';

/** The transaction of these bytes, which we made ourselves. Throws for any others. */
export function transactionOf(raw: Uint8Array): Transaction {
  return Transaction.fromBuffer(raw);
}

/** As it is sent, witnesses included. */
export function rawOf(transaction: Transaction): Uint8Array {
  return new Uint8Array(transaction.toBuffer());
}

/** Its id in wire byte order. */
export function idOf(transaction: Transaction): Uint8Array {
  return new Uint8Array(transaction.getHash());
}
