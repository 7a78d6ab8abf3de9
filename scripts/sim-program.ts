import type { Command } from 'commander';
import { type Does, manyOf, wholeNumber, withExamples } from './cli-parts.ts';

const steps = manyOf('steps');

/** Commands on simulated networks: whole worlds in virtual time, from a seed. */
export function addSim(program: Command, does: Does): void {
  const sim = program
    .command('sim')
    .description('whole paid networks in virtual time, with faults, from a seed');
  withExamples(
    sim
      .command('run')
      .description(
        'trials one after the other: faults, then demands; 1 when a rule breaks, with a line that replays it',
      )
      .option('--seed <number>', 'of the first trial; each next one has the next', wholeNumber(0, 2 ** 48), 1)
      .option('--steps <number>', 'in all, as 1e7; a step is one event delivered', steps, 1_000_000)
      .option('--scheme <name>', 'what is paid with in all of them, otherwise than their seeds say')
      .action(does(async () => (await import('./sim-commands.ts')).run)),
    'naulon sim run --seed 1 --steps 1e7',
  );
  const trial = (command: Command) =>
    command
      .requiredOption('--seed <number>', 'of the trial', wholeNumber(0, 2 ** 48))
      .option('--steps <number>', 'until its faults stop', steps)
      .option('--scheme <name>', 'what is paid with, otherwise than its seed says')
      .option('--relays <number>', 'otherwise than its seed says', wholeNumber(3, 50))
      .option('--clients <number>', 'otherwise than its seed says', wholeNumber(1, 50))
      .option('--kinds <names>', 'what happens, with commas between, otherwise than its seed says', names)
      .option('--acts <numbers>', 'the acts that are done, with commas between; all otherwise', numbers);
  withExamples(
    trial(sim.command('replay').description('one trial again, twice, and tell what happens in it'))
      .option('--trace <file>', 'every port call, a line each, goes there')
      .action(does(async () => (await import('./sim-commands.ts')).replay)),
    'naulon sim replay --seed 31',
    'naulon sim replay --seed 31 --steps 20000 --acts 3,17 --trace trace.txt',
  );
  withExamples(
    trial(
      sim.command('shrink').description('make a trial that breaks a rule as small as it still breaks it'),
    ).action(does(async () => (await import('./sim-commands.ts')).shrink)),
    'naulon sim shrink --seed 31',
  );
  withExamples(
    sim
      .command('planted')
      .description('break the program in one line after the other: does the simulator find each? 1 when not')
      .option('--only <text>', 'the planted bugs whose name has it')
      .option('--steps <number>', 'within which each has to be found', steps)
      .option('--jobs <number>', 'how many at a time', wholeNumber(1, 64), 2)
      .action(does(async () => (await import('./sim-planted.ts')).planted)),
    'naulon sim planted --only "credit twice"',
  );
}

function names(text: string): string[] {
  return text.split(',').map(name => name.trim());
}

function numbers(text: string): number[] {
  return text === '' ? [] : text.split(',').map(wholeNumber(1, 2 ** 31));
}
