import { reorgBlocksExpected } from '../../base/limits.ts';
import {
  type BestPayment,
  type ChannelRecord,
  type Records,
  type Role,
  readChannels,
  roles,
} from './channel-record.ts';
import { type ContractFacts, checkEntry, type LedgerEntry, type LedgerFinding } from './ledger-check.ts';
import { contractName, type LedgerRow, ledgerRow } from './ledger-row.ts';
import type { Network } from './messages.ts';
import { channelKeyRoot, readSeed } from './role-keys.ts';

/** What a store held at one moment. */
export interface Ledger {
  readonly rows: readonly LedgerRow[];
  /** Keys of records that cannot be read. */
  readonly unreadable: readonly string[];
  /** No transaction of these channels is in a block below. */
  readonly fromHeight: number;
  /**
   * Verifies every record again: keys, signatures, sums, and that its transactions are the channel's own. With `facts`,
   * by contractName, also that the chain says the same.
   */
  check(facts?: ReadonlyMap<string, ContractFacts>): readonly LedgerFinding[];
}

/** All channels of both roles that a store holds, the oldest first. */
export function readLedger(records: Records, network: Network): Ledger {
  const entries: LedgerEntry[] = [];
  const unreadable: string[] = [];
  for (const role of roles) {
    const seed = readSeed(records, role);
    const keyRoot = seed && channelKeyRoot(seed, role);
    for (const { key, record, best } of readChannels(records, role)) {
      const row = record && best && rowOrNothing(role, network, record, best);
      if (record && best && row) entries.push({ row, record, best, keyRoot });
      else unreadable.push(key);
    }
  }
  entries.sort((a, b) => a.row.openedHeight - b.row.openedHeight);
  const opened = entries.map(({ row }) => row.openedHeight);
  return {
    rows: entries.map(({ row }) => row),
    unreadable,
    fromHeight: Math.max(0, Math.min(...opened) - reorgBlocksExpected),
    check: facts => {
      const unknown = facts && { contract: undefined, spending: undefined };
      return entries.map(entry => checkEntry(entry, facts?.get(contractName(entry.row)) ?? unknown));
    },
  };
}

/** Undefined for terms of which no transactions can be made: a damaged record. */
function rowOrNothing(
  role: Role,
  network: Network,
  record: ChannelRecord,
  best: BestPayment,
): LedgerRow | undefined {
  try {
    return ledgerRow(role, network, record, best);
  } catch {
    return undefined;
  }
}
