import { equalBytes, fromUtf8, utf8 } from '../../base/bytes.ts';
import { countedList, sizedBytes, struct, u8, u16, u32 } from '../../base/struct.ts';
import type { StoreWrite } from '../../ports.ts';
import { type Records, type Role, readChannels, roles } from './channel-record.ts';
import { readSeed } from './role-keys.ts';
import { restoredWrites } from './went-back.ts';

/** All that a node needs to have its wallet and channels again. */
export interface Backup {
  /** How often the store had been opened for writing. */
  readonly runs: number;
  /** A relay's identity, as its file has it: payers know the relay by it. Empty: the node has none. */
  readonly identity: string;
  readonly records: readonly (readonly [key: string, value: Uint8Array])[];
}

const recordStruct = struct({ key: sizedBytes(u16), value: sizedBytes(u16) });
const backupStruct = struct({
  version: u8,
  runs: u32,
  identity: sizedBytes(u16),
  records: countedList(u32, recordStruct),
});
const backupVersion = 1;
const prefix = 'bitcoin-channel/';

/** What a store holds of money: seeds, addresses handed out, channels, the latest payment of each. */
export function makeBackup(records: Records, runs: number, identity: string): Backup {
  return { runs, identity, records: records.list(prefix) };
}

export function encodeBackup({ runs, identity, records }: Backup): Uint8Array {
  return backupStruct.encode({
    version: backupVersion,
    runs,
    identity: utf8(identity),
    records: records.map(([key, value]) => ({ key: utf8(key), value })),
  });
}

export function decodeBackup(bytes: Uint8Array): Backup | undefined {
  const read = backupStruct.decode(bytes);
  if (read === undefined || read.version !== backupVersion) return undefined;
  const records = read.records.map(({ key, value }) => [fromUtf8(key), value] as const);
  if (records.some(([key]) => !key.startsWith(prefix))) return undefined;
  return { runs: read.runs, identity: fromUtf8(read.identity), records };
}

/** What a store is to hold so that a node goes on from it, knowing that it may be old. */
export function writesOf(backup: Backup): readonly StoreWrite[] {
  const records = backup.records.map(([key, value]) => ({ key, value }));
  return [...records, ...restoredWrites(recordsOf(backup))];
}

/** So many channels are in it. */
export function channelsIn(backup: Backup): number {
  return roles.reduce((sum, role) => sum + moneyOf(backup, role).size, 0);
}

/**
 * What would be lost if `newer` took the place of `older`: a wallet, a channel that holds money, a payment. Undefined:
 * nothing. An emptied or outdated store must not overwrite a good backup.
 */
export function backupLoss(older: Backup, newer: Backup): string | undefined {
  if (newer.runs < older.runs)
    return `the store is older: run ${newer.runs}, the backup is of run ${older.runs}`;
  for (const role of roles) {
    const seed = readSeed(recordsOf(older), role);
    const same = readSeed(recordsOf(newer), role);
    if (seed !== undefined && (same === undefined || !equalBytes(seed, same)))
      return `the backup is of another ${role}'s wallet`;
    const [before, after] = [moneyOf(older, role), moneyOf(newer, role)];
    const missing = [...before.keys()].filter(channel => !after.has(channel)).length;
    if (missing > 0) return `${missing} of the backup's ${before.size} channels are not in the store`;
    for (const [channel, paidSat] of before)
      if ((after.get(channel) ?? 0n) < paidSat) return 'a channel has been paid more in the backup';
  }
  return undefined;
}

/** What was paid on each channel that may hold money: a contract that was sent, or a payment. */
function moneyOf(backup: Backup, role: Role): ReadonlyMap<string, bigint> {
  const kept = readChannels(recordsOf(backup), role).filter(({ record, best }) =>
    role === 'payer' ? record?.stored : (best?.paidSat ?? 0n) > 0n,
  );
  return new Map(kept.map(({ key, best }) => [key, best?.paidSat ?? 0n]));
}

function recordsOf({ records }: Backup): Records {
  const map = new Map(records);
  return {
    get: key => map.get(key),
    list: start => records.filter(([key]) => key.startsWith(start)),
  };
}
