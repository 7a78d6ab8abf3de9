import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runNaulon } from '../naulon.fixture.ts';
import { processesNaming } from '../processes.fixture.ts';

let temp: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'naulon-soak-test-'));
});
afterEach(() => rmSync(temp, { recursive: true, force: true }));

it('serves its users while a relay dies, accounts for every satoshi, draws a picture and leaves nothing', {
  timeout: 180_000,
}, async () => {
  const out = join(temp, 'results');
  const args = ['soak', '--minutes', '0.2', '--clients', '2', '--out', out, '--json'];
  const { out: printed, err } = await runNaulon(args, { env: { TMPDIR: temp } });
  expect(printed, err).not.toBe('');
  const { error, rows, traffic, money, ended, restarts, nodes } = JSON.parse(printed);
  expect(error, err).toBeUndefined();
  expect({ failed: traffic.failed, ended, wrong: money.wrong }).toEqual({ failed: [], ended: [], wrong: [] });
  expect([money.missingSat, money.heldSat]).toEqual(['0', '0']);
  expect(BigInt(money.payeeSat)).toBeGreaterThan(0n);
  expect(restarts).toBeGreaterThan(0);
  expect(traffic.downloads).toBeGreaterThan(0);
  // How late loops are depends on what else this machine does: that they were watched is what a test can say.
  expect(nodes.length).toBe(1 + 6 + 2 + 1);
  expect(rows.every(({ reached }: { reached: string }) => reached !== '')).toBe(true);
  for (const ending of ['svg', 'png', 'json']) expect(existsSync(join(out, `soak.${ending}`))).toBe(true);
  expect(readdirSync(temp)).toEqual(['results']);
  expect(processesNaming(temp)).toEqual([]);
});
