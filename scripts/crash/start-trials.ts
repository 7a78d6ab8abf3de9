import { setTimeout as pause } from 'node:timers/promises';
import { countedTrial } from './counted-trial.ts';
import type { CrashLab } from './crash-lab.ts';
import type { Party } from './crash-points.ts';

const tryAgainMs = 50;

/**
 * A party has just started, and somebody streams at once: it knows of neither chain nor wallet yet, and takes its time
 * rather than to say that it cannot pay, or be paid.
 */
export function justStarted(lab: CrashLab, party: Party): Promise<readonly string[]> {
  return countedTrial(lab, async () => {
    await lab.node(party).kill();
    await lab.startDead();
    for (;;) {
      const said = await streamOnce(lab);
      if (said === undefined) return [];
      if (/PAY_|CIRCUIT_UNPAID/.test(said)) return [`a stream failed: ${said}`];
      // It has no consensus, or no link to the relay yet.
      await pause(tryAgainMs);
    }
  });
}

/** What went wrong; undefined: it was paid for and came. */
async function streamOnce(lab: CrashLab): Promise<string | undefined> {
  try {
    const { circuit, user } = await lab.openCircuit();
    await lab.stream(user, 100_000);
    await (await lab.control()).closeCircuit(circuit.id);
    return undefined;
  } catch (error) {
    return String(error);
  }
}
