/** A process of its own for one planted fault: hunts until it is found, and prints the result as one line of JSON. */
import { register } from 'node:module';
import { hookData, type PlantedFault } from './planted-faults.ts';

/** What to break, and how many cases may pass until that is found. */
export type PlantOrder = readonly [fault: PlantedFault, cases: number];

const [fault, cases] = JSON.parse(process.argv[2]) as PlantOrder;
register('../sim/plants/plant-hooks.js', import.meta.url, { data: hookData(fault) });

// After the hooks, so that they see what it imports.
const { hunt } = await import('./hunt.ts');
const { targetNamed } = await import('./all-targets.ts');
const { failures } = await hunt(targetNamed(fault.target), {
  seed: '1',
  cases,
  guided: fault.guided,
  timed: fault.foundAs === 'slow',
});
process.stdout.write(`${JSON.stringify(failures[0] ?? null)}\n`);
