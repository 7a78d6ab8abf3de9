import { exitCode, OperatorError } from '../src/base/fault.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import type { Plant } from './sim/plants/plant.ts';
import type { PlantSearch } from './sim/plants/plant-child.ts';
import { plants } from './sim/plants/plants.ts';
import { plantLimits, searchPlant } from './sim/plants/search.ts';
import { grouped, type Terminal, table } from './terminal.ts';

interface PlantedFlags extends GlobalOptions {
  readonly only?: string;
  readonly steps?: number;
  readonly jobs: number;
}

interface Found extends PlantSearch {
  readonly plant: Plant;
}

/** Trials of the program with each planted bug in turn; 1 when one of them is not found. */
export async function planted({ only, steps, jobs }: PlantedFlags, terminal: Terminal): Promise<number> {
  const wanted = plants.filter(({ name }) => only === undefined || name.includes(only));
  if (wanted.length === 0)
    throw new OperatorError('USAGE', `--only: no planted bug has "${only}" in its name`, exitCode.usage);
  const limits = { ...plantLimits, stepsMax: steps ?? plantLimits.stepsMax };
  const stopping = interruption();
  const found: Found[] = [];
  const queue = [...wanted];
  const work = async (): Promise<void> => {
    for (let plant = queue.shift(); plant !== undefined; plant = queue.shift()) {
      const search = await searchPlant(plant, limits, stopping.signal);
      found.push({ plant, ...search });
      const how =
        search.breach === undefined ? 'NOT FOUND' : `${search.breach.rule}, ${search.breach.detail}`;
      terminal.say(
        `${found.length} of ${wanted.length}: ${plant.name}: ${how}; ${grouped(search.steps)} steps`,
      );
    }
  };
  try {
    await Promise.all(Array.from({ length: jobs }, work));
  } finally {
    stopping.done();
  }
  return report(found, limits.stepsMax, terminal);
}

function report(found: readonly Found[], stepsMax: number, terminal: Terminal): number {
  const missed = found.filter(({ breach }) => breach === undefined);
  terminal.object({
    planted: found.length,
    found: found.length - missed.length,
    goal: found.length,
    plants: found.map(({ plant, seed, steps, breach }) => ({
      name: plant.name,
      seed,
      steps,
      rule: breach?.rule ?? null,
    })),
  });
  const rows = found.map(({ plant, seed, steps, breach }) => [
    plant.name,
    breach?.rule ?? 'NOT FOUND',
    String(seed),
    grouped(steps),
    grouped(stepsMax),
  ]);
  for (const line of table(['planted bug', 'found by', 'seed', 'steps', 'goal: at most'], rows))
    terminal.print(line);
  terminal.print(`${found.length - missed.length} of ${found.length} planted bugs found`);
  return missed.length === 0 ? exitCode.ok : exitCode.badAnswer;
}
