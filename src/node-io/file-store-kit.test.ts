import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storePortKit } from '../../test/store-port-kit.ts';
import { FileStore } from './file-store.ts';

storePortKit('FileStore', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'naulon-store-kit-'));
  return {
    open: async onAnswer => {
      let failed: Error | undefined;
      let wake = () => {};
      const store = new FileStore({
        directory,
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
