import { type Command, InvalidArgumentError } from 'commander';
import { bitcoindOption, type Does, wholeNumber, withExamples } from './cli-parts.ts';

/** Adds the command that floods a network of its own. */
export function addFlood(program: Command, does: Does): void {
  withExamples(
    program
      .command('flood')
      .description(
        'flood a paid network of its own in every way, while honest clients go on; 1 when a figure falls short',
      )
      .argument('[floods...]', 'which, by name; all otherwise')
      .option(
        '--seconds <number>',
        'how long, for floods that do not end by themselves',
        wholeNumber(1, 86_400),
        20,
      )
      .option('--scale <share>', 'how much of each flood, as 0.1', share, 1)
      .addOption(bitcoindOption())
      .action(does(async () => (await import('./flood-commands.ts')).flood)),
    'naulon flood create readers --seconds 60',
  );
}

function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('a share above 0, at most 1, is needed.');
  return value;
}
