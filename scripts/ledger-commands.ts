import { renameSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RpcCall } from '../regtest/bitcoind-rpc.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { cannotWrite, requireOutput, writtenFirst } from '../src/node-io/output-file.ts';
import { type ContractSums, contractName } from '../src/schemes/bitcoin-channel/index.ts';
import type { GlobalOptions } from './global-options.ts';
import { chainRpc, namedChain } from './named-chain.ts';
import {
  type Audit,
  type AuditedLine,
  auditLedgers,
  type LedgerLine,
  ledgerLines,
  nodeDirectories,
  readLedgers,
} from './node-ledgers.ts';
import { counted, grouped, type Terminal, table } from './terminal.ts';

interface LedgerOptions extends GlobalOptions {
  readonly dir?: string;
}

interface CheckOptions extends LedgerOptions {
  readonly pay?: string;
  readonly offline?: boolean;
}

export async function ls(options: LedgerOptions, terminal: Terminal): Promise<undefined> {
  const lines = ledgerLines(await readLedgers(directories(options)));
  terminal.object({ channels: lines });
  if (lines.length > 0) for (const line of ledgerTable(lines)) terminal.print(line);
  terminal.print(recordsOf(lines.length, lines));
  return undefined;
}

/** Every record again, by itself and against bitcoind. 0: all agree; 1: something does not; 6: a payer took back what it had paid. */
export async function check(options: CheckOptions, terminal: Terminal): Promise<number> {
  const rpc = options.offline ? undefined : await chainOf(options);
  const audit = await settledAudit(options, rpc);
  const wrong = audit.lines.filter(({ problems }) => problems.length > 0);
  const cheated = wrong.some(line => line.cheated);
  const equal = wrong.length === 0 && audit.unreadable.length === 0;
  const sums = sumOf([...contractsOf(audit.lines).values()].map(each => each.sums));
  const verdict = verdictOn(audit, sums, rpc !== undefined);
  terminal.object({ equal, cheated, chain: rpc !== undefined, verdict, sums, ...audit });
  if (audit.lines.length > 0) for (const line of auditTable(audit.lines)) terminal.print(line);
  for (const line of wrong)
    for (const problem of line.problems) terminal.print(`${line.node}: ${contractName(line)}: ${problem}`);
  for (const line of audit.unreadable) terminal.print(line);
  terminal.print(verdict);
  return equal ? exitCode.ok : cheated ? exitCode.cheated : exitCode.badAnswer;
}

/** All records as CSV: whole numbers, sat on chain and msat paid; ids as bitcoind writes them. */
export async function exportCsv(
  options: LedgerOptions & { output?: string },
  terminal: Terminal,
): Promise<undefined> {
  const lines = ledgerLines(await readLedgers(directories(options)));
  const { output } = options;
  if (output === undefined) {
    for (const line of lines) terminal.object(line);
    for (const line of csvLines(lines)) terminal.print(line);
    return undefined;
  }
  requireOutput(output);
  const written = writtenFirst(output);
  try {
    writeFileSync(written, `${csvLines(lines).join('\n')}\n`);
    if (written !== output) renameSync(written, output);
  } catch (error) {
    throw cannotWrite(output, error);
  }
  terminal.object({ file: resolve(output), records: lines.length });
  terminal.say(`${counted(lines.length, 'record')} in ${output}`);
  return undefined;
}

function directories({ dir, dataDir }: LedgerOptions): string[] {
  return dir === undefined ? nodeDirectories(resolve(dataDir)) : [resolve(dir)];
}

/** A channel may end between the look at the records and the look at the chain, once; what is wrong stays wrong. */
async function settledAudit(options: CheckOptions, rpc: RpcCall | undefined): Promise<Audit> {
  const look = async () =>
    auditLedgers(await readLedgers(directories(options)), rpc, options.dir === undefined);
  const first = await look();
  return first.lines.every(({ problems }) => problems.length === 0) ? first : look();
}

async function chainOf(options: CheckOptions): Promise<RpcCall> {
  const chain = await namedChain(options);
  if (chain !== undefined) return chainRpc(chain);
  const what = `no chain runs in ${resolve(options.dataDir)}; start it with: naulon up -d, name it with --pay, or leave it out: --offline`;
  throw new OperatorError('LEDGER_NO_CHAIN', what, exitCode.missing);
}

/** One line for each contract, the payer's where both ends are at hand. */
function contractsOf<T extends LedgerLine>(lines: readonly T[]): ReadonlyMap<string, T> {
  const payersLast = [...lines].sort((a, b) => (a.role < b.role ? -1 : a.role > b.role ? 1 : 0));
  return new Map(payersLast.map(line => [contractName(line), line]));
}

function sumOf(all: readonly ContractSums[]): ContractSums {
  const total = (of: (sums: ContractSums) => bigint) => all.reduce((sum, each) => sum + of(each), 0n);
  return {
    lockedSat: total(each => each.lockedSat),
    heldSat: total(each => each.heldSat),
    payeeSat: total(each => each.payeeSat),
    payerSat: total(each => each.payerSat),
    feeSat: total(each => each.feeSat),
  };
}

function recordsOf(count: number, lines: readonly LedgerLine[]): string {
  return `${counted(count, 'record')} of ${counted(contractsOf(lines).size, 'channel')}`;
}

function verdictOn({ lines, unreadable }: Audit, sums: ContractSums, withChain: boolean): string {
  const records = recordsOf(lines.length + unreadable.length, lines);
  const wrong = lines.filter(({ problems }) => problems.length > 0).length + unreadable.length;
  const { lockedSat, payeeSat, payerSat, feeSat, heldSat } = sums;
  const where = [
    `${grouped(payeeSat)} to relays`,
    `${grouped(payerSat)} returned`,
    `${grouped(feeSat)} fees and anchors`,
    `${grouped(heldSat)} held`,
  ];
  const parts = `${grouped(lockedSat)} sat locked = ${where.join(' + ')}`;
  if (wrong > 0) return `NOT equal: ${wrong} of ${records} ${wrong === 1 ? 'is' : 'are'} wrong`;
  return withChain
    ? `equal: ${records}, and bitcoind says the same: ${parts}`
    : `sound: ${records}, the chain not asked: ${parts}`;
}

function ledgerTable(lines: readonly LedgerLine[]): string[] {
  const rows = lines.map(line => [
    line.node,
    line.role,
    line.relay,
    line.phase,
    grouped(line.capacitySat),
    grouped(line.paidSat),
    String(line.payments),
    line.ending === undefined ? '' : grouped(line.ending.payeeSat),
    line.ending === undefined ? '' : grouped(line.ending.payerSat),
    line.contractTxid,
  ]);
  const headings = [
    'node',
    'role',
    'relay',
    'phase',
    'capacity',
    'paid',
    'payments',
    'settled',
    'returned',
    'contract',
  ];
  return table(headings, rows);
}

function auditTable(lines: readonly AuditedLine[]): string[] {
  const rows = lines.map(({ node, role, relay, phase, paidSat, sums, problems, contractTxid }) => [
    node,
    role,
    relay,
    phase,
    grouped(paidSat),
    grouped(sums.heldSat),
    grouped(sums.payeeSat),
    grouped(sums.payerSat),
    grouped(sums.feeSat),
    problems.length === 0 ? 'ok' : 'WRONG',
    contractTxid.slice(0, 16),
  ]);
  const headings = [
    'node',
    'role',
    'relay',
    'phase',
    'paid',
    'held',
    'settled',
    'returned',
    'fee+anchor',
    'check',
    'contract',
  ];
  return table(headings, rows);
}

const csvColumns: readonly (readonly [name: string, of: (line: LedgerLine) => string | number | bigint])[] = [
  ['node', line => line.node],
  ['role', line => line.role],
  ['relay', line => line.relay],
  ['peer', line => line.peer],
  ['channel', line => line.channel],
  ['variant', line => line.variant],
  ['phase', line => line.phase],
  ['capacity_sat', line => line.capacitySat],
  ['fee_sat', line => line.feeSat],
  ['paid_msat', line => line.paidSat * 1_000n],
  ['left_sat', line => line.leftSat],
  ['payments', line => line.payments],
  ['opened_height', line => line.openedHeight],
  ['refund_height', line => line.refundHeight],
  ['contract_txid', line => line.contractTxid],
  ['contract_index', line => line.contractIndex],
  ['ending', line => line.ending?.how ?? ''],
  ['ending_txid', line => line.ending?.txid ?? ''],
  ['ending_height', line => line.ending?.height ?? ''],
  ['payee_sat', line => line.ending?.payeeSat ?? ''],
  ['payer_sat', line => line.ending?.payerSat ?? ''],
];

/** spec: RFC 4180, with line feeds alone. */
function csvLines(lines: readonly LedgerLine[]): string[] {
  const quoted = (value: string) => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return [
    csvColumns.map(([name]) => name).join(','),
    ...lines.map(line => csvColumns.map(([, of]) => quoted(String(of(line)))).join(',')),
  ];
}
