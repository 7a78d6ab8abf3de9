import type { Transaction } from 'bitcoinjs-lib';
import type { KeyPair } from '../../bitcoin/keys.ts';
import type { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import type { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import { signDigest } from '../../crypto/ecdsa.ts';
import type { BestPayment, ChannelRecord } from './channel-record.ts';

/** Transactions of a channel, complete with both signatures: the other side's is kept, the own one made here. */

/** One of them as it is offered to the chain. */
export interface OwnTransaction {
  readonly bytes: Uint8Array;
  /** In wire order. */
  readonly txid: Uint8Array;
  readonly vsize: bigint;
}

/** A channel's own transactions, signed once: they are offered at every block until one holds them. */
export class OwnTransactions {
  readonly #keys: KeyPair;
  readonly #payments: PaymentTemplate;
  readonly #refund: RefundTemplate;
  #settlement: { readonly of: BestPayment; readonly made: OwnTransaction | undefined } | undefined;
  #refunded: { readonly of: Uint8Array; readonly made: OwnTransaction } | undefined;

  constructor(keys: KeyPair, payments: PaymentTemplate, refund: RefundTemplate) {
    this.#keys = keys;
    this.#payments = payments;
    this.#refund = refund;
  }

  /** At the payee: the best payment; undefined when nothing was paid. */
  settlement(best: BestPayment): OwnTransaction | undefined {
    if (this.#settlement?.of !== best) {
      const transaction = settlementOf(best, this.#keys, this.#payments);
      this.#settlement = { of: best, made: transaction && offered(transaction) };
    }
    return this.#settlement.made;
  }

  /** At the payer: valid from T on. */
  refund(record: ChannelRecord): OwnTransaction {
    if (this.#refunded?.of !== record.refundSignature)
      this.#refunded = {
        of: record.refundSignature,
        made: offered(refundOf(record, this.#keys, this.#refund)),
      };
    return this.#refunded.made;
  }
}

function offered(transaction: Transaction): OwnTransaction {
  return {
    bytes: transaction.toBuffer(),
    txid: transaction.getHash(),
    vsize: BigInt(transaction.virtualSize()),
  };
}

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
