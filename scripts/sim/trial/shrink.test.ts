import { afterEach, expect, it, vi } from 'vitest';
import { CellBalance } from '../../../src/payment/cell-balance.ts';
import { replayLine } from '../../sim-commands.ts';
import { shrunk } from './shrink.ts';
import { runTrial } from './trial.ts';
import { drawPlan } from './trial-plan.ts';

afterEach(() => void vi.restoreAllMocks());

it('makes a trial that breaks a rule smaller, and what is left breaks it again', { timeout: 120_000 }, () => {
  const { credit } = CellBalance.prototype;
  vi.spyOn(CellBalance.prototype, 'credit').mockImplementation(function (this: CellBalance, msat) {
    credit.call(this, msat);
    return credit.call(this, msat);
  });
  const changes = { steps: 10_000 };
  const broken = runTrial(drawPlan(1, changes));
  expect(broken.breach).toBeDefined();
  const { changes: smaller, result } = shrunk(1, changes, broken, () => {});
  expect(result.breach?.rule).toBe(broken.breach?.rule);
  // Less happens in it; it may take longer to break.
  expect(result.acts.length).toBeLessThanOrEqual(broken.acts.length);
  expect(runTrial(drawPlan(1, smaller))).toEqual(result);
  // The line says all that was changed.
  for (const name of Object.keys(smaller)) expect(replayLine(1, smaller)).toContain(`--${name} `);
});
