import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Receipt } from '../src/cell/payment-messages.ts';
import { paymentStatus } from '../src/payment/scheme.ts';
import { PaidDesk } from './paid-desk.ts';

test('payments that were signed ahead are credited in order, and what was verified alone is not paid twice', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'naulon-desk-'));
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
  rmSync(folder, { recursive: true });
});
