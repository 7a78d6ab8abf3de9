import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PaidRelay } from './paid-relay.ts';
import { RedeemLoad } from './redeem-load.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-relay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('payments made ahead are receipted in turn, and what was verified alone is not paid twice', async () => {
  const relay = new PaidRelay(folder);
  await relay.open(3);
  const load = new RedeemLoad(relay, relay.circuits.slice(0, 2), 5);
  expect(() => load.check()).toThrow('a receipt for each payment');
  await load.run();
  load.check();
  const [, , third] = relay.circuits;
  const others = relay.sign(third, 2);
  relay.verify(third, others);
  expect(() => relay.verify(third, others)).toThrow();
  await relay.stop();
});
