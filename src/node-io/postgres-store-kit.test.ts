import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { hasPostgres, Postgres } from '../../test/postgres.fixture.ts';
import { storePortKit } from '../../test/store-port-kit.ts';
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
        let failed: Error | undefined;
        let wake = () => {};
        const store = await PostgresStore.open({
          server: postgres.access,
          directory,
          owner: 'kit',
          earlier: async () => ({ runs: 0, records: [] }),
          onBroken: why => {
            failed = why;
            wake();
          },
        });
        store.attach({
          onAnswer: answer => {
            onAnswer(answer);
            wake();
          },
        });
        return {
          port: store,
          turn: run => run(),
          until: async holds => {
            while (!holds()) {
              if (failed !== undefined) throw failed;
              await new Promise<void>(resolve => {
                wake = resolve;
              });
            }
          },
          close: () => store.close(),
        };
      },
      remove: async () => rmSync(directory, { recursive: true, force: true }),
    };
  });
});
