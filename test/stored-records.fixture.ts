import { openDataDirectory } from '../src/node-io/data-directory.ts';
import { FileStore } from '../src/node-io/file-store.ts';
import type { StoreWrite } from '../src/ports.ts';

/** Puts records into a data directory, as a node that has ended leaves them. */
export async function storeRecords(path: string, writes: readonly StoreWrite[]): Promise<void> {
  const store = new FileStore({
    directory: openDataDirectory(path),
    onBroken: why => {
      throw why;
    },
  });
  await new Promise<void>(stored => {
    store.attach({ onAnswer: () => stored() });
    store.commit(writes, 1);
  });
  await store.close();
}
