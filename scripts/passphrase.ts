import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { cannotRead } from '../src/node-io/input-file.ts';

export interface PassphraseOptions {
  readonly passphraseFile?: string;
}

export const passphraseOption = () =>
  new Option('--passphrase-file <file>', 'its first line is the passphrase (also NAULON_PASSPHRASE)');

/** What seals a file: never an argument, since those are shown to everybody on the machine. */
export function passphraseOf({ passphraseFile: file }: PassphraseOptions): string {
  const passphrase = file === undefined ? process.env.NAULON_PASSPHRASE : firstLine(file);
  if (passphrase !== undefined && passphrase !== '') return passphrase;
  const what = 'no passphrase: write it to a file for --passphrase-file, or into NAULON_PASSPHRASE';
  throw new OperatorError('PASSPHRASE_ABSENT', what, exitCode.usage);
}

function firstLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)[0];
  } catch (error) {
    throw cannotRead(file, error, 'PASSPHRASE_ABSENT');
  }
}
