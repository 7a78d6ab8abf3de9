import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { hasPostgres, Postgres } from '../../test/postgres.fixture.ts';
import { StoreEar, storePortKit } from '../../test/store-port-kit.ts';
import { PostgresStore } from './postgres-store.ts';

describe.runIf(hasPostgres())('on a server', () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.start();
  });
  afterAll(() => postgres.stop());

  storePortKit('PostgresStore', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'naulon-store-kit-'));
    await postgres.ask('drop schema if exists naulon cascade');
    return {
      open: async onAnswer => {
        const ear = new StoreEar(onAnswer);
        const store = await PostgresStore.open({
          server: postgres.access,
          directory,
          owner: 'kit',
          earlier: async () => ({ runs: 0, records: [] }),
          onBroken: ear.onBroken,
        });
        store.attach(ear);
        return {
          port: store,
          turn: run => run(),
          until: ear.until,
          close: () => store.close(),
        };
      },
      remove: async () => rmSync(directory, { recursive: true, force: true }),
    };
  });
});
