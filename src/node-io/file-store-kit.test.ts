import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreEar, storePortKit } from '../../test/store-port-kit.ts';
import { FileStore } from './file-store.ts';

storePortKit('FileStore', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'naulon-store-kit-'));
  return {
    open: async onAnswer => {
      const ear = new StoreEar(onAnswer);
      const store = new FileStore({ directory, onBroken: ear.onBroken });
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
