import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FileStore } from './file-store.ts';

it('refuses an old copy that was put back, until its file of runs is gone', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'naulon-old-store-'));
  const openStore = () => new FileStore({ directory, onBroken: () => {} });
  await openStore().close();
  const folder = join(directory, 'store');
  cpSync(folder, join(directory, 'copy'), { recursive: true });
  // The next run may have promised what the copy lacks.
  await openStore().close();
  rmSync(folder, { recursive: true });
  cpSync(join(directory, 'copy'), folder, { recursive: true });
  expect(openStore).toThrow(/is an old copy: 1 runs are in it, 2 were here/);
  rmSync(join(directory, 'store-runs'));
  await openStore().close();
  await openStore().close();
  rmSync(directory, { recursive: true });
});
