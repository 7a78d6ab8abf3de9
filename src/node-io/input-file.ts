import { readFileSync } from 'node:fs';
import { type ExitCode, exitCode, OperatorError } from '../base/fault.ts';
import { systemReason } from './system-reason.ts';

/** The text of a file that somebody named, in an argument or in another file. */
export function readInput(file: string, encoding: 'utf8' | 'latin1' = 'utf8'): string {
  try {
    return readFileSync(file, encoding);
  } catch (error) {
    throw cannotRead(file, error);
  }
}

export function cannotRead(
  file: string,
  error: unknown,
  code = 'CONFIG_UNREADABLE',
  exit: ExitCode = exitCode.usage,
): OperatorError {
  return new OperatorError(code, `cannot read ${file}: ${systemReason(error)}`, exit);
}
