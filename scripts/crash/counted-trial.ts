import { setTimeout as pause } from 'node:timers/promises';
import type { CrashLab } from './crash-lab.ts';
import type { MoneyCount } from './money-count.ts';
import { settle } from './settle.ts';
import { moneyProblems } from './verdict.ts';

const looksMax = 10;
const lookAgainMs = 300;

/**
 * Counts the money of both parties, does something to them, brings up who is dead, settles, and counts again. What is
 * wrong then; empty: it held. @param run what goes wrong in it that has nothing to do with sums.
 */
export async function countedTrial(
  lab: CrashLab,
  run: (count: MoneyCount) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  await lab.startDead();
  await lab.fund();
  await lab.chain.mine(1);
  const count = await lab.count();
  const receipted = lab.receiptedMsat();
  const wrong = await run(count);
  await lab.startDead();
  await settle(lab, count);
  const look = () => moneyProblems(lab, count, lab.receiptedMsat() - receipted);
  let problems = await look();
  // A record follows the chain by a moment; what is wrong stays wrong.
  for (let looks = 1; problems.length > 0 && looks < looksMax; looks++) {
    await pause(lookAgainMs);
    problems = await look();
  }
  return [...wrong, ...problems];
}
