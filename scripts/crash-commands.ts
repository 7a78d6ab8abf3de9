import { exitCode, OperatorError } from '../src/base/fault.ts';
import { aimsOf, nightlyTimes } from './crash/matrix-goals.ts';
import { type MatrixRow, matrixRows, rowName } from './crash/matrix-rows.ts';
import { runMatrix, type Tried } from './crash/run-matrix.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { type Terminal, table } from './terminal.ts';

interface MatrixFlags extends GlobalOptions {
  readonly times: number;
  readonly nightly?: boolean;
  readonly seed: number;
  readonly jobs: number;
  readonly bitcoind?: string;
}

interface Counts {
  readonly row: MatrixRow;
  /** So often it has to hold. */
  readonly goal: number;
  tried: number;
  held: number;
}

/** Kills, reorganises and fills up a real network, and counts its money; 1 where a satoshi is missing or a goal is. */
export async function crashMatrix(
  { times, nightly = false, seed, jobs, bitcoind }: MatrixFlags,
  terminal: Terminal,
  wanted: readonly string[],
): Promise<number> {
  const chosen = matrixRows.filter(
    row => wanted.length === 0 || wanted.some(text => rowName(row).includes(text)),
  );
  if (chosen.length === 0)
    throw new OperatorError(
      'USAGE',
      `no row of the matrix has ${wanted.join(' or ')} in its name; names are like: ${rowName(matrixRows[0])}`,
      exitCode.usage,
    );
  const goalOf = (row: MatrixRow) => (nightly ? nightlyTimes(row) : row.times);
  const counts = new Map(
    chosen.map(row => [rowName(row), { row, goal: goalOf(row), tried: 0, held: 0 } as Counts]),
  );
  const all = chosen.map(row => ({ ...row, times: goalOf(row) * times }));
  const total = all.reduce((sum, row) => sum + row.times, 0);
  const stopping = interruption();
  let done = 0;
  const onTried = ({ row, trial, problems }: Tried): void => {
    const count = counts.get(rowName(row)) as Counts;
    count.tried += 1;
    if (problems.length === 0) count.held += 1;
    done += 1;
    const how =
      problems.length === 0 ? 'held' : `NOT HELD, trial ${trial} of seed ${seed}: ${problems.join('; ')}`;
    terminal.say(`${done} of ${total}: ${rowName(row)}: ${how}`);
  };
  try {
    await runMatrix(all, { seed, jobs, bitcoind, signal: stopping.signal }, onTried);
  } catch (error) {
    if (stopping.signal.aborted) return exitCode.interrupted;
    throw error;
  } finally {
    stopping.done();
  }
  return report([...counts.values()], nightly, terminal);
}

function report(counts: readonly Counts[], isNightly: boolean, terminal: Terminal): number {
  const rows = counts.map(({ row: { point, fault }, goal, tried, held }) => ({
    point,
    fault,
    tried,
    held,
    goal,
  }));
  const reached = aimsOf(counts.map(({ row }) => row)).map(({ goal, what, least, nightly }) => {
    const held = counts
      .filter(({ row }) => row.goals.includes(goal))
      .reduce((sum, each) => sum + each.held, 0);
    return { what, held, goal: least, nightly };
  });
  const notHeld = rows.filter(({ tried, held, goal }) => held < tried || held < goal);
  const short = reached.filter(({ held, goal, nightly }) => held < (isNightly ? nightly : goal));
  terminal.object({ rows, goals: reached });
  const cells = rows.map(({ point, fault, tried, held, goal }) => [
    point,
    fault,
    String(tried),
    String(held),
    String(goal),
  ]);
  for (const line of table(['point', 'fault', 'tried', 'held', 'goal'], cells)) terminal.print(line);
  if (reached.length > 0) {
    terminal.print('');
    const lines = reached.map(({ what, held, goal, nightly }) => [
      what,
      String(held),
      String(goal),
      String(nightly),
    ]);
    for (const line of table(['held', 'times', 'goal: a commit', 'a night'], lines)) terminal.print(line);
  }
  return notHeld.length === 0 && short.length === 0 ? exitCode.ok : exitCode.badAnswer;
}
