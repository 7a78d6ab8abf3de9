import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { address, balance } from './account-commands.ts';
import { openTerminal } from './terminal.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-account-test-'));
});
afterAll(() => rmSync(root, { recursive: true }));

it('makes no account where no node has one', async () => {
  const empty = join(root, 'empty');
  mkdirSync(empty, { mode: 0o700 });
  for (const dir of [empty, join(root, 'missing')])
    for (const command of [address, balance])
      await expect(
        command({ dir, broker: '127.0.0.1:9', dataDir: root }, openTerminal({})),
      ).rejects.toMatchObject({ code: 'ACCOUNT_ABSENT', exitCode: 2, message: expect.stringContaining(dir) });
  expect(readdirSync(empty)).toEqual([]);
});

it('asks no broker that is not HOST:PORT', async () => {
  await expect(balance({ broker: 'foo', dataDir: root }, openTerminal({}))).rejects.toMatchObject({
    message: 'foo: HOST:PORT is needed',
    exitCode: 2,
  });
});
