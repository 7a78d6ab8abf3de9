import { setTimeout as pause } from 'node:timers/promises';

/** Waits for what will happen; the bound only ends a trial that hangs. */
export async function until(holds: () => Promise<boolean>, what: string, msMax = 60_000): Promise<void> {
  for (const deadline = performance.now() + msMax; !(await holds()); await pause(30))
    if (performance.now() > deadline) throw new Error(`still not: ${what}`);
}
