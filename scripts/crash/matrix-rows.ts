import type { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import { oldDirectory, restoredBackup } from './backup-trials.ts';
import {
  bitcoindKilled,
  contractDropped,
  doubleSpentConfirmed,
  doubleSpentUnconfirmed,
  feeSpike,
  refundRace,
  settlementDropped,
} from './chain-trials.ts';
import type { CrashLab } from './crash-lab.ts';
import { crashPoints, parties, pointName } from './crash-points.ts';
import { crashTrial, meanwhiles } from './crash-trial.ts';
import { diskFull, twoProcesses } from './disk-trials.ts';
import { justStarted } from './start-trials.ts';

/** The goals of the matrix that a row's trials count towards. */
export type Goal = 'kills' | 'points' | 'bitcoind' | 'reorgs' | 'races' | 'spikes' | 'doubles' | 'others';

/** One fault at one point: how it is tried, and how often a run tries it at the least. */
export interface MatrixRow {
  readonly point: string;
  readonly fault: string;
  readonly goals: readonly Goal[];
  readonly times: number;
  /** What is wrong afterwards; empty: it held. */
  try(lab: CrashLab, random: SeededEntropy): Promise<readonly string[]>;
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

const row = (
  point: string,
  fault: string,
  goal: Goal,
  times: number,
  trial: MatrixRow['try'],
): MatrixRow => ({ point, fault, goals: [goal], times, try: trial });

const depths = [1, 2, 3, 4, 5, 6];
const chainRows: readonly MatrixRow[] = [
  row('bitcoind: right after blocks, a channel in use', killed, 'bitcoind', 5, bitcoindKilled),
  ...depths.map(depth =>
    row('chain: contract dropped', `reorg of ${depth}`, 'reorgs', 2, lab => contractDropped(lab, depth)),
  ),
  ...depths.map(depth =>
    row('chain: settlement dropped', `reorg of ${depth}`, 'reorgs', 2, lab => settlementDropped(lab, depth)),
  ),
  row('chain: contract in no block yet', 'double spend', 'doubles', 1, doubleSpentUnconfirmed),
  row('chain: contract in a block', 'reorg with a double spend', 'doubles', 1, doubleSpentConfirmed),
  row('chain: settlement', 'fee x50, full mempool', 'spikes', 8, feeSpike),
  row('chain: 1 to 6 blocks before T', 'refund race', 'races', 12, refundRace),
];

const diskRows: readonly MatrixRow[] = parties.flatMap(party => [
  row(`${party}: its data`, 'a second process', 'others', 1, lab => twoProcesses(lab, party)),
  row(`${party}: its records grow`, 'disk full', 'others', 1, lab => diskFull(lab, party)),
  ...(['payments', 'channels'] as const).flatMap(since => [
    row(`${party}: its data lost`, `a backup restored from before the ${since}`, 'others', 1, lab =>
      restoredBackup(lab, party, since),
    ),
    row(`${party}: its data put back`, `as it was before the ${since}`, 'others', 1, lab =>
      oldDirectory(lab, party, since),
    ),
  ]),
  row(`${party}: just started`, 'a stream at once', 'others', 2, lab => justStarted(lab, party)),
]);

export const matrixRows: readonly MatrixRow[] = [...pointRows, ...anyTimeRows, ...chainRows, ...diskRows];

export function rowName({ point, fault }: Pick<MatrixRow, 'point' | 'fault'>): string {
  return `${point}: ${fault}`;
}
