import { Transaction } from 'bitcoinjs-lib';
import { equalBytes, toHex } from '../../base/bytes.ts';
import { type ContractVariant, contractOutputScript } from '../../bitcoin/contract-tx.ts';
import { outpointKey, txidText } from '../../bitcoin/outpoint.ts';
import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import type { StorePort } from '../../ports.ts';
import { type BestPayment, type ChannelRecord, type Role, readChannels } from './channel-record.ts';
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
  readonly refundHeight: number;
  readonly paidSat: bigint;
  readonly payments: number;
  readonly contractTxid: string;
  readonly contractIndex: number;
  /** The transaction that would settle, or has settled, what was paid. */
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

/** A transaction as bitcoind has it in a block of its best chain, or in its mempool with 0 confirmations. */
export interface ChainFact {
  readonly bytes: Uint8Array;
  readonly confirmations: number;
}

/** A row and what is wrong with it; empty: the store and the chain agree. */
export interface LedgerFinding {
  readonly row: LedgerRow;
  readonly problems: readonly string[];
}

/** What a store held at one moment. */
export interface Ledger {
  readonly rows: readonly LedgerRow[];
  /** Ids of the transactions whose facts `check` wants. */
  readonly transactions: readonly string[];
  /** Verifies every signature again, and every channel against what the chain says of its transactions. */
  check(facts: ReadonlyMap<string, ChainFact>): readonly LedgerFinding[];
}

/** All channels of both roles that a store holds. */
export function readLedger(store: StorePort, network: Network): Ledger {
  const entries = readEntries(store, network);
  return {
    rows: entries.map(({ row }) => row),
    transactions: entries.flatMap(({ row }) => [row.contractTxid, ...(row.ending ? [row.ending.txid] : [])]),
    check: facts => entries.map(entry => checkEntry(entry, facts)),
  };
}

export function ledgerRow(role: Role, network: Network, record: ChannelRecord, best: BestPayment): LedgerRow {
  const { terms, ending, peer } = record;
  return {
    role,
    channel: toHex(channelId(network, terms.outpoint)),
    peer: toHex(peer),
    variant: terms.variant,
    capacitySat: terms.capacitySat,
    feeSat: terms.feeSat,
    refundHeight: terms.refundHeight,
    paidSat: best.paidSat,
    payments: best.payments,
    contractTxid: txidText(terms.outpoint.txid),
    contractIndex: terms.outpoint.index,
    settlementTxid: txidText(new PaymentTemplate(terms).txid(best.paidSat)),
    refundTxid: txidText(new RefundTemplate(terms).txid()),
    ending: ending && { ...ending, txid: txidText(ending.txid) },
  };
}

interface Entry {
  readonly row: LedgerRow;
  readonly record: ChannelRecord;
  readonly best: BestPayment;
  readonly damaged: boolean;
}

function readEntries(store: StorePort, network: Network): readonly Entry[] {
  const roles: readonly Role[] = ['payer', 'payee'];
  return roles.flatMap(role =>
    readChannels(store, role)
      .filter(({ record }) => record !== undefined)
      .map(entry => ({ ...entry, row: ledgerRow(role, network, entry.record, entry.best) })),
  );
}

function checkEntry(entry: Entry, facts: ReadonlyMap<string, ChainFact>): LedgerFinding {
  const { row, record, best, damaged } = entry;
  const problems = [
    ...(damaged ? ['the record is damaged'] : []),
    ...signatureProblems(row.role, record, best),
    ...contractProblems(record, facts.get(row.contractTxid)),
    ...(row.ending === undefined ? [] : endingProblems(row.role, record, best, facts.get(row.ending.txid))),
  ];
  return { row, problems };
}

function signatureProblems(role: Role, record: ChannelRecord, best: BestPayment): string[] {
  const { terms } = record;
  const problems: string[] = [];
  const payments = new PaymentTemplate(terms);
  if (best.paidSat > payments.satMax) problems.push('more was paid than the contract holds');
  else if (role === 'payee' && best.paidSat > 0n && !payments.signedByPayer(best.paidSat, best.signature)) {
    problems.push("the payer's signature of the best payment is wrong");
  }
  const refundOwed = role === 'payer' && record.stored && terms.variant === 'spillman';
  if (refundOwed && !new RefundTemplate(terms).signedByPayee(record.refundSignature)) {
    problems.push("the payee's signature of the refund is wrong");
  }
  return problems;
}

function contractProblems(record: ChannelRecord, fact: ChainFact | undefined): string[] {
  const { terms, accepted } = record;
  if (fact === undefined) return accepted ? ['the contract is not in the chain'] : [];
  const output = Transaction.fromBuffer(fact.bytes).outs[terms.outpoint.index];
  const problems: string[] = [];
  if (accepted && fact.confirmations < 1) problems.push('the contract is not confirmed');
  if (output === undefined || !equalBytes(output.script, contractOutputScript(terms))) {
    problems.push('the contract pays another script');
  } else if (output.value !== terms.capacitySat) problems.push('the contract has another value');
  return problems;
}

function endingProblems(
  role: Role,
  record: ChannelRecord,
  best: BestPayment,
  fact: ChainFact | undefined,
): string[] {
  const { terms, ending } = record;
  if (ending === undefined) return [];
  if (fact === undefined || fact.confirmations < 1) return ['what spent the contract is not in the chain'];
  const problems: string[] = [];
  const transaction = Transaction.fromBuffer(fact.bytes);
  const spends = transaction.ins.some(
    input => outpointKey({ txid: input.hash, index: input.index }) === outpointKey(terms.outpoint),
  );
  if (!spends) problems.push('what ended the channel does not spend the contract');
  const left = transaction.outs.reduce((sum, { value }) => sum + value, terms.feeSat);
  if (left !== terms.capacitySat) problems.push('outputs and fee are not the value of the contract');
  const shares = new PaymentTemplate(terms).shares(best.paidSat);
  if (role === 'payee' && ending.how === 'refund' && best.paidSat > 0n) {
    problems.push('the payer was refunded what it had paid');
  }
  if (role === 'payee' && ending.how === 'payment' && ending.payeeSat !== shares.payeeSat) {
    problems.push('settled is not what was paid last');
  }
  // The payer cannot know which of its last payments arrived, but never owes more than it signed.
  if (role === 'payer' && ending.how === 'payment' && ending.payeeSat > shares.payeeSat) {
    problems.push('more was settled than was signed');
  }
  return problems;
}
