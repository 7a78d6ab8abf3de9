import { type Goal, type MatrixRow, matrixRows } from './matrix-rows.ts';

/** How many trials of its rows have to hold: of each commit, and of a night. */
interface Aim {
  readonly goal: Goal;
  readonly what: string;
  readonly least: number;
  readonly nightly: number;
}

const rowsOf = (goal: Goal): readonly MatrixRow[] => matrixRows.filter(({ goals }) => goals.includes(goal));
/** Of one run of the whole matrix. */
const trialsOf = (goal: Goal): number => rowsOf(goal).reduce((sum, { times }) => sum + times, 0);

const points = trialsOf('points');

const aims: readonly Aim[] = [
  { goal: 'kills', what: 'relay and client killed with -9', least: 100, nightly: 1_000 },
  { goal: 'points', what: 'every point with every fault', least: points, nightly: points * 100 },
  { goal: 'bitcoind', what: 'bitcoind killed with -9, its tip lower', least: 5, nightly: 200 },
  { goal: 'reorgs', what: 'reorganisations of 1 to 6 blocks', least: 20, nightly: 1_000 },
  { goal: 'doubles', what: 'contracts spent twice', least: 2, nightly: 1_000 },
  { goal: 'races', what: 'refund races', least: 12, nightly: 200 },
  { goal: 'spikes', what: 'fee spikes', least: 8, nightly: 80 },
];

/** How often a night tries a row, so that its goals are reached. */
export function nightlyTimes({ goals, times }: Pick<MatrixRow, 'goals' | 'times'>): number {
  const factors = aims
    .filter(({ goal }) => goals.includes(goal))
    .map(({ goal, nightly }) => Math.ceil(nightly / trialsOf(goal)));
  return times * Math.max(1, ...factors);
}

/** Of these rows, those goals of which none of the others counts. */
export function aimsOf(rows: readonly MatrixRow[]): readonly Aim[] {
  const chosen = new Set(rows);
  return aims.filter(({ goal }) => rowsOf(goal).every(row => chosen.has(row)));
}
