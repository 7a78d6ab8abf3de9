import { toHex } from '../../base/bytes.ts';
import { type ChannelPhase, endedPhase } from '../../bitcoin/channel-machine.ts';
import type { ContractVariant } from '../../bitcoin/contract-tx.ts';
import { txidText } from '../../bitcoin/outpoint.ts';
import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import type { BestPayment, ChannelRecord, Role } from './channel-record.ts';
import { channelId, type Network } from './messages.ts';

/** One channel as the store has it, for people and programs; ids as bitcoind writes them. Never for a log. */
export interface LedgerRow {
  readonly role: Role;
  /** Names the channel to `close` and `refund`. */
  readonly channel: string;
  /** The payee's Ed25519 identity in hex, at the payer; empty at the payee, who does not know its payers. */
  readonly peer: string;
  readonly variant: ContractVariant;
  readonly capacitySat: bigint;
  readonly feeSat: bigint;
  /** Height of the best chain when it was opened. */
  readonly openedHeight: number;
  readonly refundHeight: number;
  readonly paidSat: bigint;
  /** What can still be paid. */
  readonly leftSat: bigint;
  readonly payments: number;
  /** As far as the record tells; a running node knows more. */
  readonly phase: ChannelPhase;
  readonly contractTxid: string;
  readonly contractIndex: number;
  /** The transaction that would settle, or has settled, what was paid; empty for an amount that no payment can have. */
  readonly settlementTxid: string;
  readonly refundTxid: string;
  readonly ending: LedgerEnding | undefined;
}

/** The transaction of the best chain that spent the contract. */
export interface LedgerEnding {
  readonly how: 'payment' | 'refund';
  readonly txid: string;
  readonly height: number;
  readonly payeeSat: bigint;
  readonly payerSat: bigint;
}

/** TXID:INDEX of the contract's output. */
export function contractName({ contractTxid, contractIndex }: LedgerRow): string {
  return `${contractTxid}:${contractIndex}`;
}

export function ledgerRow(role: Role, network: Network, record: ChannelRecord, best: BestPayment): LedgerRow {
  const { terms, ending, peer } = record;
  const payments = new PaymentTemplate(terms);
  return {
    role,
    channel: toHex(channelId(network, terms.outpoint)),
    peer: toHex(peer),
    variant: terms.variant,
    capacitySat: terms.capacitySat,
    feeSat: terms.feeSat,
    openedHeight: record.openedHeight,
    refundHeight: terms.refundHeight,
    paidSat: best.paidSat,
    leftSat: payments.satMax - best.paidSat,
    payments: best.payments,
    contractTxid: txidText(terms.outpoint.txid),
    contractIndex: terms.outpoint.index,
    settlementTxid: payments.allows(best.paidSat) ? txidText(payments.txid(best.paidSat)) : '',
    refundTxid: txidText(new RefundTemplate(terms).txid()),
    phase: recordedPhase(record),
    ending: ending && { ...ending, txid: txidText(ending.txid) },
  };
}

function recordedPhase({ ending, closeAsked, accepted }: ChannelRecord): ChannelPhase {
  if (ending !== undefined) return endedPhase(ending.how);
  return closeAsked ? 'closing' : accepted ? 'open' : 'opening';
}
