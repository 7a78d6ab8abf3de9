import type { Transaction } from 'bitcoinjs-lib';
import type { KeyPair } from '../../bitcoin/keys.ts';
import type { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import type { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import { signDigest } from '../../crypto/ecdsa.ts';
import type { BestPayment, ChannelRecord } from './channel-record.ts';

/** Transactions of a channel, complete with both signatures: the other side's is kept, the own one made here. */

/** At the payee: the best payment; undefined when nothing was paid. */
export function settlementOf(
  { paidSat, signature }: BestPayment,
  { secret }: KeyPair,
  payments: PaymentTemplate,
): Transaction | undefined {
  if (signature.length === 0) return undefined;
  return payments.transaction(paidSat, signature, signDigest(secret, payments.digest(paidSat)));
}

/** At the payer. */
export function refundOf(
  { terms, refundSignature }: ChannelRecord,
  { secret }: KeyPair,
  refund: RefundTemplate,
): Transaction {
  const own = signDigest(secret, refund.digest());
  return refund.transaction(own, terms.variant === 'spillman' ? refundSignature : undefined);
}
