import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../src/base/fault.ts';
import { endAtOnce } from '../src/node-io/end-at-once.ts';
import { FileStore, readFileStore, type StoreReader } from '../src/node-io/file-store.ts';
import { type EarlierRecords, PostgresStore, readPostgresStore } from '../src/node-io/postgres-store.ts';
import { RunCount } from '../src/node-io/run-count.ts';
import type { Observer } from '../src/ports.ts';
import type { BrokerConfig } from './config.ts';

/** Where a broker keeps what it must not forget. */
export type RecordsPlace = Pick<BrokerConfig, 'dataDirectory' | 'store'>;

/**
 * A broker's records, to write; in PostgreSQL where its file names one. A database without any takes over those of the
 * data directory, which are an old copy from then on. Throws OperatorError.
 * @param owner in hex, the key that the broker signs with.
 */
export async function openRecords(
  { dataDirectory: directory, store }: RecordsPlace,
  owner: string,
  observer: Observer,
): Promise<FileStore | PostgresStore> {
  if (store === undefined) return new FileStore({ directory, onBroken: endAtOnce });
  return PostgresStore.open({
    server: store,
    directory,
    owner,
    onBroken: endAtOnce,
    earlier: async () => {
      const earlier = await recordsToMove(directory);
      observer.log('info', 'a database without records takes over those of the data directory', {
        records: earlier.records.length,
      });
      return earlier;
    },
  });
}

/** Opened for writing, so that no other process does. */
async function recordsToMove(directory: string): Promise<EarlierRecords> {
  if (!existsSync(join(directory, 'store'))) return { runs: 0, records: [] };
  const store = new FileStore({ directory, onBroken: endAtOnce });
  const records = store.list('');
  await store.close();
  return { runs: new RunCount(directory).seen, records };
}

/** A look at the records of a broker that may be running. Throws OperatorError. */
export async function readRecords({ dataDirectory: directory, store }: RecordsPlace): Promise<StoreReader> {
  if (store !== undefined) return readPostgresStore(store);
  const elsewhere = 'if they are in PostgreSQL, name its broker.yaml with --file';
  if (!existsSync(join(directory, 'store')))
    throw new OperatorError('STORE_ABSENT', `no broker has records in ${directory}; ${elsewhere}`, 3);
  const reader = readFileStore(directory);
  if (reader.runs >= new RunCount(directory).seen) return reader;
  await reader.close();
  throw new OperatorError(
    'STORE_WENT_BACK',
    `${directory} holds an old copy of the records; ${elsewhere}`,
    3,
  );
}
