import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Receipt } from '../src/cell/payment-messages.ts';
import { paymentStatus } from '../src/payment/scheme.ts';
import { PaidDesk } from './paid-desk.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-desk-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('payments that were signed ahead are credited in order, and what was verified alone is not paid twice', async () => {
  const desk = new PaidDesk(folder);
  await desk.open(2);
  const [first, second] = desk.sessions;
  const signed = desk.sign(first, 3);
  const receipts: Receipt[] = [];
  for (const payment of signed)
    receipts.push(await new Promise<Receipt>(credited => first.redeem(payment, credited)));
  expect(receipts.map(({ status, creditedMsat }) => [status, creditedMsat])).toEqual([
    [paymentStatus.ok, 1_001_000n],
    [paymentStatus.ok, 1_002_000n],
    [paymentStatus.ok, 1_003_000n],
  ]);
  const others = desk.sign(second, 2);
  desk.verify(second, others);
  expect(() => desk.verify(second, others)).toThrow();
  await desk.stop();
});
