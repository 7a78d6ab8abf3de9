import { type Command, InvalidArgumentError, Option } from 'commander';
import type { GlobalOptions } from './global-options.ts';
import type { Terminal } from './terminal.ts';

/** A command's work: its answer is the exit code, 0 when it says nothing. */
export type Work<O> = (
  options: O & GlobalOptions,
  terminal: Terminal,
  args: string[],
) => Promise<number | undefined>;

/** Makes a command's action of its work, whose code is imported when it is run. */
export type Does = <O>(work: () => Promise<Work<O>>) => (...given: unknown[]) => Promise<void>;

export const bitcoindOption = () =>
  new Option('--bitcoind <file>', 'the bitcoind to run (also NAULON_BITCOIND)').env('NAULON_BITCOIND');

export const controlOption = () =>
  new Option('--control <file>', "the client's control socket; that of the running network otherwise");

/** @param what it decides. A path's module is loaded for whoever gives the option, never for anybody else. */
export const schemeOption = (what: string) =>
  new Option(
    '--scheme <name>',
    `${what}; a path, as ./scheme.js, loads that module: its code runs with all that naulon may do`,
  );

/** A whole number within bounds, or a usage error. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`a whole number from ${min} to ${max} is needed.`);
    return value;
  };
}

/** A whole number, written out or as 1e7. */
export function manyOf(what: string): (text: string) => number {
  return text => {
    const value = Number(text);
    if (!/^\d+(e\d+)?$/.test(text) || value < 1 || value > 1e13)
      throw new InvalidArgumentError(`a whole number of ${what} is needed, as 1000000 or 1e6.`);
    return value;
  };
}

/** Shows, below a command's help, how it is used. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', ['', 'Examples:', ...lines.map(line => `  $ ${line}`)].join('\n'));
}
