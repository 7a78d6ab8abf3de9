import { type Command, InvalidArgumentError } from 'commander';
import { bitcoindOption, type Does, wholeNumber, withExamples } from './cli-parts.ts';

/** Adds the command that runs a network for long. */
export function addSoak(program: Command, does: Does): void {
  withExamples(
    program
      .command('soak')
      .description(
        'a paid network for so many minutes, relays dying in it: does memory grow, do loops stall, is every satoshi there?',
      )
      .option('--minutes <number>', 'how long', minutes, 10)
      .option('--clients <number>', 'how many, each with a wallet', wholeNumber(1, 20), 3)
      .option('--out <dir>', 'where the picture and the samples go', 'results')
      .addOption(bitcoindOption())
      .action(does(async () => (await import('./soak/soak.ts')).soak)),
    'naulon soak --minutes 1440',
  );
}

/** Whole minutes, or a part of one as 0.5. */
function minutes(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < 0.1 || value > 100_000)
    throw new InvalidArgumentError('a number of minutes is needed, as 10 or 0.5.');
  return value;
}
