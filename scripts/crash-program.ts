import type { Command } from 'commander';
import { bitcoindOption, type Does, wholeNumber, withExamples } from './cli-parts.ts';

/** Adds the command that kills a network of its own at every point. */
export function addCrashMatrix(program: Command, does: Does): void {
  withExamples(
    program
      .command('crash-matrix')
      .description(
        'kill relay, client and bitcoind of a real network at every point, count its money each time; 1 when a satoshi is missing',
      )
      .argument('[rows...]', 'which: those whose name has one of these texts; all otherwise')
      .option('--times <number>', 'each row so many times as often', wholeNumber(1, 1_000), 1)
      .option('--nightly', 'each row as often as the goals of a night want it')
      .option('--seed <number>', 'draws what is left to chance', wholeNumber(0, 2 ** 48), 1)
      .option('--jobs <number>', 'so many networks at once', wholeNumber(1, 16), 2)
      .addOption(bitcoindOption())
      .action(does(async () => (await import('./crash-commands.ts')).crashMatrix)),
    'naulon crash-matrix',
    'naulon crash-matrix "relay: send RECEIPT" reorg --times 10',
    'naulon crash-matrix "reorg of" --nightly',
  );
}
