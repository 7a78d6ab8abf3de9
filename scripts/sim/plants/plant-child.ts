/** A process of its own for one plant: runs trials until one of its rules breaks; prints one line of JSON. */
import { register } from 'node:module';
import { deserialize } from 'node:v8';
import type { Breach } from '../trial/rule-book.ts';
import type { Plant } from './plant.ts';

/** What became of one plant. */
export interface PlantSearch {
  /** Of the trial that found it. */
  readonly seed: number;
  /** Of all trials together. */
  readonly steps: number;
  readonly breach: Breach | undefined;
}

const [argument, as, firstSeed, stepsMax, stepsEach] = process.argv.slice(2);
const plant = deserialize(Buffer.from(argument, 'base64')) as Plant;
if (as === 'planted') {
  const url = new URL(`../../../${plant.file.replace(/\.ts$/, '.js')}`, import.meta.url).href;
  register('./plant-hooks.js', import.meta.url, { data: { url, find: plant.find, replace: plant.replace } });
}

// After the hooks, which see what is imported from now on: nothing of the program has been before.
const { runTrial } = await import('../trial/trial.ts');
const { channelScheme, drawPlan } = await import('../trial/trial-plan.ts');

const { scheme = channelScheme, world, breaks } = plant;
const changes = { steps: Number(stepsEach), scheme };
let steps = 0;
let search: PlantSearch | undefined;
for (let seed = Number(firstSeed); search === undefined; seed++) {
  const { steps: more, breach } = runTrial({ ...drawPlan(seed, changes), ...world });
  steps += more;
  const found = breach !== undefined && (as !== 'planted' || breaks.includes(breach.rule));
  if (found || steps >= Number(stepsMax)) search = { seed, steps, breach: found ? breach : undefined };
}
process.stdout.write(`${JSON.stringify(search)}\n`);
