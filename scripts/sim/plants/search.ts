import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Plant } from './plant.ts';
import type { PlantSearch } from './plant-child.ts';

export interface SearchLimits {
  readonly firstSeed: number;
  /** Over all trials. */
  readonly stepsMax: number;
  /** Of each trial, until its faults stop. */
  readonly stepsEach: number;
}

/** Short trials: most plants show soon, and many mixes of faults find more than long runs of few. */
export const plantLimits: SearchLimits = { firstSeed: 1, stepsMax: 2_000_000, stepsEach: 30_000 };

/** Plants work on compiled modules, wherever this one runs from. */
const child = fileURLToPath(import.meta.url).replace(
  /(dist\/)?scripts\/sim\/plants\/search\.[jt]s$/,
  'dist/scripts/sim/plants/plant-child.js',
);

/** Runs trials of a program with that plant, in a process of its own, until a rule breaks. */
export async function searchPlant(
  plant: Plant,
  limits: SearchLimits,
  signal?: AbortSignal,
): Promise<PlantSearch> {
  const { firstSeed, stepsMax, stepsEach } = limits;
  const args = [child, plant.name, firstSeed, stepsMax, stepsEach].map(String);
  const { stdout } = await promisify(execFile)(process.execPath, args, { signal });
  return JSON.parse(stdout) as PlantSearch;
}
