import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { serialize } from 'node:v8';
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

/**
 * Runs trials of a program with that plant, in a process of its own, until one of the plant's rules breaks. What breaks in
 * the same trial of the program as it is was not found by the plant: the search goes on behind it.
 */
export async function searchPlant(
  plant: Plant,
  { firstSeed, stepsMax, stepsEach }: SearchLimits,
  signal?: AbortSignal,
): Promise<PlantSearch> {
  const each = { stepsEach: plant.stepsEach ?? stepsEach };
  for (let [seed, steps] = [firstSeed, 0]; ; ) {
    const search = await inChild(
      plant,
      'planted',
      { ...each, firstSeed: seed, stepsMax: stepsMax - steps },
      signal,
    );
    steps += search.steps;
    const all = { ...search, steps };
    if (search.breach === undefined) return all;
    const once = { ...each, firstSeed: search.seed, stepsMax: 1 };
    const { breach } = await inChild(plant, 'as it is', once, signal);
    if (breach === undefined) return all;
    if (steps >= stepsMax) return { ...all, breach: undefined };
    seed = search.seed + 1;
  }
}

/** As the child reads it; a plant's world has bigints. */
export function plantArgument(plant: Plant): string {
  return serialize(plant).toString('base64');
}

async function inChild(
  plant: Plant,
  as: 'planted' | 'as it is',
  { firstSeed, stepsMax, stepsEach }: SearchLimits,
  signal: AbortSignal | undefined,
): Promise<PlantSearch> {
  const args = [child, plantArgument(plant), as, firstSeed, stepsMax, stepsEach].map(String);
  const { stdout } = await promisify(execFile)(process.execPath, args, { signal });
  return JSON.parse(stdout) as PlantSearch;
}
