import type { Transaction } from 'bitcoinjs-lib';
import { equalBytes } from '../../base/bytes.ts';
import type { ChannelTerms } from '../../bitcoin/contract-tx.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import type { Ending } from './channel-record.ts';

/** How a contract was spent, in whatever block. */
export type Spending = Omit<Ending, 'height'>;

/** What the transaction that spends a contract pays to whom. */
export function spendingBy(terms: ChannelTerms, transaction: Transaction): Spending {
  const paidTo = (script: Uint8Array) =>
    transaction.outs.reduce((sum, out) => (equalBytes(out.script, script) ? sum + out.value : sum), 0n);
  const txid = transaction.getHash();
  return {
    how: equalBytes(txid, new RefundTemplate(terms).txid()) ? 'refund' : 'payment',
    txid,
    payeeSat: paidTo(terms.payoutScript),
    payerSat: paidTo(terms.refundScript),
  };
}
