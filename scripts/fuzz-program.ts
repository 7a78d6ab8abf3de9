import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { type Does, manyOf, wholeNumber, withExamples } from './cli-parts.ts';

/** Adds the command that tries what nobody should send. */
export function addFuzz(program: Command, does: Does): void {
  withExamples(
    program
      .command('fuzz')
      .description(
        'give each decoder and node what nobody should send: no crash, none slow, nothing left; 1 when one falls short',
      )
      .argument('[targets...]', 'all otherwise')
      .option('--seed <number>', 'what is drawn follows from it', wholeNumber(0, 2 ** 48), 1)
      .option('--cases <number>', 'of each target, as 1e6; its own goal otherwise', manyOf('cases'))
      .option('--times <number>', 'its own goal so many times', wholeNumber(1, 10_000), 1)
      .option('--jobs <number>', 'how many at a time', wholeNumber(1, 64), availableParallelism())
      .option('--out <dir>', 'where an input goes that is not taken well', '.')
      .option('--replay <file>', 'take such an input again')
      .action(does(async () => (await import('./fuzz-commands.ts')).fuzz)),
    'naulon fuzz',
    'naulon fuzz consensus vote --cases 1e6 --seed 7',
    'naulon fuzz --times 100',
    'naulon fuzz --replay fuzz-vote-crash-7.0.json',
  );
}
