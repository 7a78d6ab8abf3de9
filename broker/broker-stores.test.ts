import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { brokerKey } from '../src/broker/broker-lab.fixture.ts';
import { brokerStoreKit, type FreshDisk } from '../test/broker-store-kit.ts';
import { DiskThread } from '../test/disk-thread.fixture.ts';
import { hasPostgres, Postgres } from '../test/postgres.fixture.ts';
import type { RecordsPlace } from './broker-records.ts';

const isServed = hasPostgres();
let postgres: Postgres | undefined;
let thread: DiskThread;
beforeAll(async () => {
  thread = await DiskThread.start();
  if (isServed) postgres = await Postgres.start();
});
afterAll(async () => {
  await thread.stop();
  await postgres?.stop();
});

function on(store: RecordsPlace['store']): FreshDisk {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'naulon-broker-store-'));
  return {
    disk: thread.disk({ dataDirectory, store }, brokerKey.publicKey),
    close: () => {
      thread.close();
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}

brokerStoreKit('a simulated disk', async () => ({ disk: undefined, close: () => {} }));

brokerStoreKit('lmdb', async () => on(undefined));

describe.runIf(isServed)('on a server', () => {
  brokerStoreKit('PostgreSQL', async () => {
    await postgres?.ask('drop schema if exists naulon cascade');
    return on(postgres?.access);
  });
});
