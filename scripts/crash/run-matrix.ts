import { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import { CrashLab, type CrashLabOptions } from './crash-lab.ts';
import { type MatrixRow, rowName } from './matrix-rows.ts';

export interface MatrixOptions extends CrashLabOptions {
  readonly seed: number;
  /** So many networks at once. */
  readonly jobs: number;
}

/** One trial of a row: held when nothing is wrong. */
export interface Tried {
  readonly row: MatrixRow;
  /** The how-manieth of its row. */
  readonly trial: number;
  readonly problems: readonly string[];
}

/** Tries every row as often as wanted, in an order that has nothing wait for another; tells of each trial. */
export async function runMatrix(
  rows: readonly MatrixRow[],
  options: MatrixOptions,
  onTried: (tried: Tried) => void,
): Promise<void> {
  const queue = rows.flatMap(row => Array.from({ length: row.times }, (_, trial) => ({ row, trial })));
  const work = async (): Promise<void> => {
    let lab: CrashLab | undefined;
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        options.signal?.throwIfAborted();
        lab ??= await CrashLab.start(options);
        const problems = await tryOnce(lab, next.row, next.trial, options.seed);
        onTried({ ...next, problems });
        // What one trial has lost, or has been told, must not count in the next.
        if (problems.length === 0 && !lab.hasRestored) continue;
        await lab.stop();
        lab = undefined;
      }
    } finally {
      await lab?.stop();
    }
  };
  const jobs = Math.min(options.jobs, queue.length);
  await Promise.all(Array.from({ length: jobs }, work));
}

async function tryOnce(
  lab: CrashLab,
  row: MatrixRow,
  trial: number,
  seed: number,
): Promise<readonly string[]> {
  const random = new SeededEntropy(`${seed}/${rowName(row)}/${trial}`);
  try {
    return await row.try(lab, random);
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
}
