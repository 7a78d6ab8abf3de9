import { readFileStore } from '../../src/node-io/file-store.ts';
import {
  contractName,
  type Ledger,
  type LedgerRow,
  readLedger,
} from '../../src/schemes/bitcoin-channel/index.ts';
import { auditLedgers } from '../node-ledgers.ts';
import type { CrashLab } from './crash-lab.ts';
import { type Party, parties } from './crash-points.ts';
import type { Counted, MoneyCount } from './money-count.ts';

/** Channels that were opened since a trial began, as the parties' records have them. */
export async function channelsSince(lab: CrashLab, fromHeight: number): Promise<readonly LedgerRow[]> {
  const ledgers = await Promise.all(lab.purses().map(({ directory }) => ledgerSince(directory, fromHeight)));
  return ledgers.flatMap(({ rows }) => rows);
}

async function ledgerSince(directory: string, fromHeight: number): Promise<Ledger> {
  const records = readFileStore(directory);
  const all = readLedger(records, 'regtest');
  await records.close();
  const isNew = (row: LedgerRow) => row.openedHeight >= fromHeight;
  return {
    rows: all.rows.filter(isNew),
    unreadable: all.unreadable,
    fromHeight,
    check: facts => all.check(facts).filter(({ row }) => isNew(row)),
  };
}

/**
 * What is wrong with the money once every contract of a trial has ended, to the satoshi: by each party's records, by the
 * chain, and between the two. Empty: nothing.
 */
export async function moneyProblems(
  lab: CrashLab,
  count: MoneyCount,
  receiptedMsat: bigint,
): Promise<readonly string[]> {
  const counted = await count.now();
  const nodes = await Promise.all(
    lab.purses().map(async ({ party, directory }) => {
      return { node: party, ledger: await ledgerSince(directory, count.fromHeight) };
    }),
  );
  const audit = await auditLedgers(nodes, lab.chain.rpc, true);
  const paid = audit.lines
    .filter(({ role }) => role === 'payee')
    .reduce((sum, line) => sum + line.paidSat, 0n);
  const problems = [
    ...audit.unreadable,
    ...audit.lines.flatMap(line =>
      line.problems.map(problem => `${line.node}, ${contractName(line)}: ${problem}`),
    ),
    ...chainProblems(counted),
  ];
  if (receiptedMsat > paid * 1_000n)
    problems.push(`the relay receipted ${receiptedMsat} msat and can prove ${paid} sat`);
  const known = new Map(audit.lines.map(line => [contractName(line), line.sums]));
  for (const { name } of counted.contracts.filter(contract => !known.has(contract.name)))
    problems.push(`${name} is on the chain and in nobody's records`);
  const sums = [...known.values()];
  const total = (of: (each: (typeof sums)[number]) => bigint) =>
    sums.reduce((sum, each) => sum + of(each), 0n);
  const expected: Record<Party, bigint> = {
    relay: total(each => each.payeeSat) - counted.childFees,
    client: counted.given + total(each => each.payerSat) - total(each => each.lockedSat) - counted.clientFees,
  };
  for (const party of parties) {
    const gained = counted.held[party] - counted.before[party];
    if (gained !== expected[party])
      problems.push(`the ${party} has ${gained} sat more than before, its records say ${expected[party]}`);
  }
  return problems;
}

function chainProblems({ before, held, given, fees, lost, unspent }: Counted): string[] {
  const problems = unspent.map(name => `nothing has spent ${name}`);
  if (lost !== 0n) problems.push(`${lost} sat are in outputs that belong to nobody`);
  const was = before.relay + before.client + given;
  const is = held.relay + held.client + fees + lost;
  if (was !== is) problems.push(`${was} sat went in, ${is} sat are accounted for`);
  return problems;
}
