import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { exitCode, OperatorError } from '../base/fault.ts';
import { makeFolders } from './data-directory.ts';
import { systemReason } from './system-reason.ts';

/** Refuses what no file can be written as, before anything is paid, or worked for, that would go there. */
export function requireOutput(file: string): void {
  if (file === '' || isFolder(file)) {
    const what = file === '' ? 'the file to write has no name' : `${file} is a folder; name a file in it`;
    throw new OperatorError('OUTPUT_NO_FILE', what, exitCode.usage);
  }
  if (isFolder(dirname(resolve(file)))) return;
  throw new OperatorError('OUTPUT_NO_FOLDER', `${file}: its folder does not exist`, exitCode.missing);
}

/** Makes the folder that results go to, before they are worked for. */
export function makeOutputFolder(folder: string): void {
  try {
    makeFolders(resolve(folder), 0o777);
    if (!isFolder(folder)) throw new Error('it is a file');
  } catch (error) {
    throw cannotWrite(folder, error);
  }
}

/** What the system says against writing there. */
export function cannotWrite(where: string, error: unknown): OperatorError {
  return new OperatorError(
    'OUTPUT_FAILED',
    `cannot write to ${where}: ${systemReason(error)}`,
    exitCode.missing,
  );
}

/** A file has its name once it is whole; a device or a pipe is written to as it is, and must not be replaced. */
export function writtenFirst(file: string): string {
  return existsSync(file) && !statSync(file).isFile() ? file : `${file}.part`;
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}
