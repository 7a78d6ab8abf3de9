import { exitCode, OperatorError } from '../src/base/fault.ts';
import { type Goal, type MatrixRow, matrixRows, rowName } from './crash/matrix-rows.ts';
import { runMatrix, type Tried } from './crash/run-matrix.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { type Terminal, table } from './terminal.ts';

interface MatrixFlags extends GlobalOptions {
  readonly times: number;
  readonly seed: number;
  readonly jobs: number;
  readonly bitcoind?: string;
}

interface Counts {
  readonly row: MatrixRow;
  tried: number;
  held: number;
}

/** All of them once. */
const pointTrials = matrixRows.filter(row => row.goals.includes('points')).length;

/** What is asked of each commit, and of a night. */
const goals: readonly Aim[] = [
  { goal: 'kills', what: 'relay and client killed with -9', least: 100, nightly: 1_000 },
  { goal: 'points', what: 'every point with every fault', least: pointTrials, nightly: pointTrials * 100 },
  { goal: 'bitcoind', what: 'bitcoind killed with -9, its tip lower', least: 5, nightly: 200 },
  { goal: 'reorgs', what: 'reorganisations of 1 to 6 blocks', least: 20, nightly: 1_000 },
  { goal: 'races', what: 'refund races and fee spikes', least: 20, nightly: 200 },
];

interface Aim {
  readonly goal: Goal;
  readonly what: string;
  /** So many trials have to hold. */
  readonly least: number;
  readonly nightly: number;
}

/** Kills, reorganises and fills up a real network, and counts its money; 1 where a satoshi is missing or a goal is. */
export async function crashMatrix(
  { times, seed, jobs, bitcoind }: MatrixFlags,
  terminal: Terminal,
  wanted: readonly string[],
): Promise<number> {
  const chosen = matrixRows.filter(
    row => wanted.length === 0 || wanted.some(text => rowName(row).includes(text)),
  );
  if (chosen.length === 0)
    throw new OperatorError(
      'USAGE',
      `no row of the matrix has ${wanted.join(' or ')} in its name`,
      exitCode.usage,
    );
  const counts = new Map(chosen.map(row => [rowName(row), { row, tried: 0, held: 0 }]));
  const all = chosen.map(row => ({ ...row, times: row.times * times }));
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
  return report([...counts.values()], wanted.length === 0, terminal);
}

function report(counts: readonly Counts[], whole: boolean, terminal: Terminal): number {
  const rows = counts.map(({ row, tried, held }) => ({
    point: row.point,
    fault: row.fault,
    tried,
    held,
    goal: row.times,
  }));
  const reached = goals.map(({ goal, what, least, nightly }) => {
    const held = counts
      .filter(({ row }) => row.goals.includes(goal))
      .reduce((sum, each) => sum + each.held, 0);
    return { what, held, goal: least, nightly };
  });
  const notHeld = rows.filter(({ tried, held, goal }) => held < tried || held < goal);
  const short = whole ? reached.filter(({ held, goal }) => held < goal) : [];
  terminal.object({ rows, goals: whole ? reached : [] });
  const cells = rows.map(({ point, fault, tried, held, goal }) => [
    point,
    fault,
    String(tried),
    String(held),
    String(goal),
  ]);
  for (const line of table(['point', 'fault', 'tried', 'held', 'goal'], cells)) terminal.print(line);
  if (whole) {
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
