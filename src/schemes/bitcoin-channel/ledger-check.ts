import { Transaction } from 'bitcoinjs-lib';
import { equalBytes } from '../../base/bytes.ts';
import { firstPaymentSatMin } from '../../base/limits.ts';
import { type ChannelTerms, contractOutputScript } from '../../bitcoin/contract-tx.ts';
import type { HdKey } from '../../bitcoin/keys.ts';
import { outpointKey, txidText } from '../../bitcoin/outpoint.ts';
import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import type { BestPayment, ChannelRecord } from './channel-record.ts';
import { type Spending, spendingBy } from './contract-spending.ts';
import type { LedgerRow } from './ledger-row.ts';

/** A transaction as bitcoind has it in a block of its best chain, or in its mempool with 0 confirmations. */
export interface ChainFact {
  readonly bytes: Uint8Array;
  readonly confirmations: number;
}

/** What bitcoind says of a contract. */
export interface ContractFacts {
  /** The transaction that holds it; undefined: bitcoind knows none. */
  readonly contract: ChainFact | undefined;
  /** The transaction that spends it; undefined: unspent. */
  readonly spending: ChainFact | undefined;
}

/** Where the satoshi of a contract are; what was locked up is the sum of the rest. */
export interface ContractSums {
  readonly lockedSat: bigint;
  readonly heldSat: bigint;
  readonly payeeSat: bigint;
  readonly payerSat: bigint;
  /** The miner's, and the anchor that anybody can spend. */
  readonly feeSat: bigint;
}

/** A row and what is wrong with it; no problems: the record is sound, and the chain, if asked, says the same. */
export interface LedgerFinding {
  readonly row: LedgerRow;
  readonly problems: readonly string[];
  /** As the chain says, or without it the record. */
  readonly sums: ContractSums;
  /** The payer took back what it had paid. */
  readonly cheated: boolean;
}

/** A channel's records, to be verified. */
export interface LedgerEntry {
  readonly row: LedgerRow;
  readonly record: ChannelRecord;
  readonly best: BestPayment;
  /** Whose named children are the channels' keys; undefined: not in this store. */
  readonly keyRoot: HdKey | undefined;
}

const nothing: ContractSums = { lockedSat: 0n, heldSat: 0n, payeeSat: 0n, payerSat: 0n, feeSat: 0n };

/** @param facts absent: the chain is not asked. */
export function checkEntry(entry: LedgerEntry, facts: ContractFacts | undefined): LedgerFinding {
  const { row, record } = entry;
  const recorded = record.ending;
  const seen = facts && spendingOf(record.terms, facts.spending);
  const paymentFaults = paymentProblems(entry);
  const ending = recorded ?? seen;
  const problems = [
    ...keyProblems(entry),
    ...paymentFaults,
    ...refundProblems(entry),
    ...ownContractProblems(entry),
    ...(ending === undefined ? [] : endingProblems(entry, ending)),
    ...(facts === undefined ? [] : [...contractProblems(entry, facts), ...spentProblems(record, seen)]),
  ];
  const refunded = row.role === 'payee' && ending?.how === 'refund' && row.paidSat > 0n;
  return {
    row,
    problems,
    sums: sumsOf(
      record,
      facts === undefined ? record.accepted : isConfirmed(facts.contract),
      seen ?? recorded,
    ),
    cheated: refunded && paymentFaults.length === 0,
  };
}

/** What does not agree between the two ends of one channel, each of whose records may be sound by itself. */
export function partyProblems(payer: LedgerRow, payee: LedgerRow): string[] {
  const problems: string[] = [];
  if (payer.refundTxid !== payee.refundTxid) problems.push('payer and payee have different terms');
  if (payee.paidSat > payer.paidSat || payee.payments > payer.payments) {
    problems.push('the payee has a payment that the payer has not made');
  } else if (payee.payments === payer.payments && payee.paidSat !== payer.paidSat) {
    problems.push('payer and payee have different amounts after the same payments');
  }
  return problems;
}

/** Without its key a record is worth nothing: what it names could not be spent. */
function keyProblems({ row, record, keyRoot }: LedgerEntry): string[] {
  const { payerKey, payeeKey } = record.terms;
  const own = keyRoot?.named(record.keyName).keyPair().publicKey;
  if (own === undefined || equalBytes(own, row.role === 'payer' ? payerKey : payeeKey)) return [];
  return ["the channel's key does not follow from the seed"];
}

function paymentProblems({ row, record, best }: LedgerEntry): string[] {
  const payments = new PaymentTemplate(record.terms);
  const { paidSat, signature } = best;
  if (paidSat > payments.satMax) return ['more was paid than the contract holds'];
  if (paidSat > 0n && paidSat < firstPaymentSatMin) return ['less was paid than the least payment'];
  if ((paidSat === 0n) !== (best.payments === 0) || BigInt(best.payments) > paidSat) {
    return ['so many payments cannot have raised the amount to what it is'];
  }
  // A channel that was closed without a payment is signed too.
  if (paidSat === 0n && signature.length === 0) return [];
  if (payments.signedByPayer(paidSat, signature)) return [];
  return [`the payer's signature is not for ${row.paidSat} sat`];
}

function refundProblems({ row, record }: LedgerEntry): string[] {
  const owed = row.role === 'payer' && record.stored && record.terms.variant === 'spillman';
  if (!owed || new RefundTemplate(record.terms).signedByPayee(record.refundSignature)) return [];
  return ["the payee's signature of the refund is wrong"];
}

/** The payer keeps its contract, to send it again. */
function ownContractProblems({ row, record }: LedgerEntry): string[] {
  if (row.role === 'payee') return [];
  const contract = transactionOf(record.contract);
  if (contract === undefined || !equalBytes(contract.getHash(), record.terms.outpoint.txid)) {
    return ['the contract that is kept is another transaction'];
  }
  return outputProblems(record.terms, contract);
}

function contractProblems({ row, record, best }: LedgerEntry, { contract }: ContractFacts): string[] {
  const needed = record.accepted || record.ending !== undefined || best.paidSat > 0n;
  if (needed && !isConfirmed(contract)) return ['the chain does not have the contract'];
  const transaction = contract && transactionOf(contract.bytes);
  return row.role === 'payer' || transaction === undefined ? [] : outputProblems(record.terms, transaction);
}

function outputProblems(terms: ChannelTerms, contract: Transaction): string[] {
  const output = contract.outs[terms.outpoint.index];
  if (output === undefined || !equalBytes(output.script, contractOutputScript(terms))) {
    return ['the contract pays another script'];
  }
  if (output.value === terms.capacitySat) return [];
  return [`the contract holds ${output.value} sat, not ${terms.capacitySat}`];
}

/** Whether it is a transaction of this channel, and pays what is owed. */
function endingProblems({ row, record, best }: LedgerEntry, ending: Spending): string[] {
  const { terms } = record;
  const { how, txid, payeeSat, payerSat } = ending;
  const payments = new PaymentTemplate(terms);
  if (how === 'refund') {
    const refund = new RefundTemplate(terms);
    if (!equalBytes(refund.txid(), txid) || payeeSat !== 0n || payerSat !== refund.valueSat) {
      return ['what spent the contract is not its refund'];
    }
    const lost = row.role === 'payee' && best.paidSat > 0n;
    return lost ? [`the payer took back ${best.paidSat} sat that it had paid`] : [];
  }
  if (!payments.allows(payeeSat) || !equalBytes(payments.txid(payeeSat), txid)) {
    return ['what spent the contract is neither its refund nor one of its payments'];
  }
  if (payments.shares(payeeSat).payerSat !== payerSat) return ['the shares do not add up to the contract'];
  if (!payments.allows(best.paidSat)) return [];
  const owedSat = payments.shares(best.paidSat).payeeSat;
  // The payer cannot know which of its last payments arrived, but never owes more than it signed.
  if (row.role === 'payer' ? payeeSat <= owedSat : payeeSat === owedSat) return [];
  return [`${payeeSat} sat were settled, ${owedSat} were paid`];
}

function spentProblems({ ending }: ChannelRecord, seen: Spending | undefined): string[] {
  if (ending === undefined) return [];
  const said = txidText(ending.txid);
  if (seen === undefined) return [`the chain does not have ${said}, said to have spent the contract`];
  if (equalBytes(seen.txid, ending.txid)) return [];
  return [`the chain says that ${txidText(seen.txid)} spent the contract, not ${said}`];
}

/** What a confirmed transaction makes of a contract. */
function spendingOf(terms: ChannelTerms, spending: ChainFact | undefined): Spending | undefined {
  const transaction = isConfirmed(spending) ? transactionOf(spending.bytes) : undefined;
  const outpoint = outpointKey(terms.outpoint);
  const spends = transaction?.ins.some(({ hash, index }) => outpointKey({ txid: hash, index }) === outpoint);
  return transaction === undefined || !spends ? undefined : spendingBy(terms, transaction);
}

function sumsOf({ terms }: ChannelRecord, locked: boolean, ending: Spending | undefined): ContractSums {
  const lockedSat = terms.capacitySat;
  if (ending !== undefined) {
    const { payeeSat, payerSat } = ending;
    return { lockedSat, heldSat: 0n, payeeSat, payerSat, feeSat: lockedSat - payeeSat - payerSat };
  }
  return locked ? { ...nothing, lockedSat, heldSat: lockedSat } : nothing;
}

function isConfirmed(fact: ChainFact | undefined): fact is ChainFact {
  return fact !== undefined && fact.confirmations > 0;
}

function transactionOf(bytes: Uint8Array): Transaction | undefined {
  try {
    return Transaction.fromBuffer(bytes);
  } catch {
    return undefined;
  }
}
