import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { RpcCall } from '../regtest/bitcoind-rpc.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { readFileStore } from '../src/node-io/file-store.ts';
import {
  type ContractSums,
  contractName,
  type Ledger,
  type LedgerRow,
  partyProblems,
  readLedger,
} from '../src/schemes/bitcoin-channel/index.ts';
import { contractFacts } from './contract-facts.ts';

/** The durable records of one node's channels. */
export interface NodeLedger {
  readonly node: string;
  readonly ledger: Ledger;
}

/** A channel as one node has it. */
export interface LedgerLine extends LedgerRow {
  readonly node: string;
  /** Name of the payee's node, or the beginning of its identity where that node's records are not at hand. */
  readonly relay: string;
}

/** A channel as one node has it, verified. */
export interface AuditedLine extends LedgerLine {
  readonly problems: readonly string[];
  readonly sums: ContractSums;
  /** The payer took back what it had paid. */
  readonly cheated: boolean;
}

export interface Audit {
  readonly lines: readonly AuditedLine[];
  /** What is wrong with no channel in particular: NODE: PROBLEM. */
  readonly unreadable: readonly string[];
}

/** Data directories of all nodes below a network's folder that have records; they may be running. */
export function nodeDirectories(dir: string): string[] {
  const folders = existsSync(dir) ? readdirSync(dir, { withFileTypes: true }) : [];
  const found = folders
    .filter(each => each.isDirectory() && existsSync(join(dir, each.name, 'store')))
    .map(({ name }) => join(dir, name));
  if (found.length > 0) return found.sort();
  const what = `no node has records in ${dir}; start a network with: naulon up -d, or name a node's directory with --dir`;
  throw new OperatorError('LEDGER_ABSENT', what, exitCode.missing);
}

/** What the stores hold. Those with payers are read last: a payment is in the payer's records first. */
export async function readLedgers(directories: readonly string[]): Promise<readonly NodeLedger[]> {
  const ledgers = new Map<string, Ledger>();
  for (const directory of directories) ledgers.set(directory, await ledgerIn(directory));
  for (const [directory, { rows }] of ledgers) {
    if (rows.some(({ role }) => role === 'payer')) ledgers.set(directory, await ledgerIn(directory));
  }
  return [...ledgers].map(([directory, ledger]) => ({ node: basename(resolve(directory)), ledger }));
}

async function ledgerIn(directory: string): Promise<Ledger> {
  const records = readFileStore(directory);
  try {
    return readLedger(records, 'regtest');
  } finally {
    await records.close();
  }
}

export function ledgerLines(nodes: readonly NodeLedger[]): readonly LedgerLine[] {
  const payees = new Map(
    nodes.flatMap(({ node, ledger }) =>
      ledger.rows.filter(({ role }) => role === 'payee').map(({ channel }) => [channel, node] as const),
    ),
  );
  return nodes.flatMap(({ node, ledger }) =>
    ledger.rows.map(row => ({ ...row, node, relay: payees.get(row.channel) ?? `${row.peer.slice(0, 12)}…` })),
  );
}

/**
 * Verifies all records, each by itself and the two ends of a channel against each other; with `rpc` also against
 * bitcoind. @param whole the nodes are all of a network, so that each payer's channel must be known to a payee.
 */
export async function auditLedgers(
  nodes: readonly NodeLedger[],
  rpc: RpcCall | undefined,
  whole: boolean,
): Promise<Audit> {
  const lines = ledgerLines(nodes);
  const fromHeight = Math.min(...nodes.map(({ ledger }) => ledger.fromHeight));
  const facts = rpc && (await contractFacts(rpc, lines.map(contractName), fromHeight));
  const findings = nodes.flatMap(({ ledger }) => ledger.check(facts));
  const payees = new Map(lines.filter(({ role }) => role === 'payee').map(line => [line.channel, line]));
  const ends = lines.map(line => {
    const payee = line.role === 'payer' ? payees.get(line.channel) : undefined;
    if (payee !== undefined) return partyProblems(line, payee);
    // A payee that never got the payment forgets the channel once it is over.
    const refunded = line.ending?.how === 'refund';
    const unknown = whole && line.role === 'payer' && line.paidSat > 0n && !refunded;
    return unknown ? ['no relay of the network has this channel'] : [];
  });
  return {
    lines: lines.map((line, at) => {
      const { problems, sums, cheated } = findings[at];
      return { ...line, problems: [...problems, ...ends[at]], sums, cheated };
    }),
    unreadable: nodes.flatMap(({ node, ledger }) =>
      ledger.unreadable.map(key => `${node}: ${key} cannot be read, or a part of it is missing`),
    ),
  };
}
