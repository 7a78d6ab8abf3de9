import type { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import type { CrashLab } from './crash-lab.ts';
import { crashPoints, parties, pointName } from './crash-points.ts';
import { crashTrial, meanwhiles, type Outcome } from './crash-trial.ts';

/** The goals of the matrix that a row's trials count towards. */
export type Goal = 'kills' | 'points' | 'bitcoind' | 'reorgs' | 'races' | 'others';

/** One fault at one point: how it is tried, and how often a run tries it at the least. */
export interface MatrixRow {
  readonly point: string;
  readonly fault: string;
  readonly goals: readonly Goal[];
  readonly times: number;
  try(lab: CrashLab, random: SeededEntropy): Promise<Outcome>;
}

const killed = 'kill -9';

const pointRows: readonly MatrixRow[] = crashPoints.flatMap(at =>
  meanwhiles.map(
    (meanwhile): MatrixRow => ({
      point: pointName(at),
      fault: meanwhile === 'nothing' ? killed : `${killed}, ${meanwhile}`,
      goals: ['kills', 'points'],
      times: 1,
      try: (lab, random) => crashTrial(lab, { at }, meanwhile, random),
    }),
  ),
);

const anyTimeRows: readonly MatrixRow[] = parties.map(party => ({
  point: `${party}: at random times`,
  fault: killed,
  goals: ['kills'],
  times: 10,
  try: (lab, random) => crashTrial(lab, { anyTime: party }, 'nothing', random),
}));

export const matrixRows: readonly MatrixRow[] = [...pointRows, ...anyTimeRows];

export function rowName({ point, fault }: Pick<MatrixRow, 'point' | 'fault'>): string {
  return `${point}: ${fault}`;
}
