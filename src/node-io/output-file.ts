import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { exitCode, OperatorError } from '../base/fault.ts';

/** Refuses what no file can be written as, before anything is paid, or worked for, that would go there. */
export function requireOutput(file: string): void {
  if (file === '' || isFolder(file)) {
    const what = file === '' ? 'the file to write has no name' : `${file} is a folder; name a file in it`;
    throw new OperatorError('OUTPUT_NO_FILE', what, exitCode.usage);
  }
  if (isFolder(dirname(resolve(file)))) return;
  throw new OperatorError('OUTPUT_NO_FOLDER', `${file}: its folder does not exist`, exitCode.missing);
}

/** A file has its name once it is whole; a device or a pipe is written to as it is, and must not be replaced. */
export function writtenFirst(file: string): string {
  return existsSync(file) && !statSync(file).isFile() ? file : `${file}.part`;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
