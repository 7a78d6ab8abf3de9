import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { OperatorError } from '../base/fault.ts';
import { systemReason } from './system-reason.ts';

const othersMask = 0o077;
const worldWritable = 0o002;
const sticky = 0o1000;

/**
 * The folder that holds a node's keys and money: made for its owner alone, and refused when others could read it, or
 * could put another one in its place.
 */
export function openDataDirectory(path: string): string {
  const directory = resolve(path);
  makeDirectory(directory);
  const status = statSync(directory);
  if (!isOurs(status.uid)) throw loose(`${directory} belongs to another user`);
  if ((status.mode & othersMask) !== 0)
    throw loose(
      `${directory} is open to others; name a folder for a node alone, or, if it is one: chmod 700 ${directory}`,
    );
  for (let parent = dirname(directory); ; parent = dirname(parent)) {
    const { mode } = statSync(parent);
    if ((mode & worldWritable) !== 0 && (mode & sticky) === 0)
      throw loose(`everybody may write to ${parent}, so ${directory} is not safe there`);
    if (parent === dirname(parent)) break;
  }
  requireWritable(directory);
  return directory;
}

/** By trying: what permissions say, a disk that is mounted to be read alone does not keep. */
function requireWritable(directory: string): void {
  const file = join(directory, '.try');
  try {
    closeSync(openSync(file, 'w', 0o600));
    rmSync(file, { force: true });
  } catch (error) {
    throw loose(`cannot write to ${directory}: ${systemReason(error)}`);
  }
}

/** Makes a folder for its owner alone, and those above it that are missing. */
export function makeDirectory(path: string): void {
  const directory = resolve(path);
  try {
    makeFolders(directory, 0o700);
  } catch (error) {
    throw loose(`cannot make ${directory}: ${systemReason(error)}`);
  }
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw loose(`${directory} is no directory`);
}

/** One after the other: Node's own recursion never ends where a folder that is there takes none, as /proc. */
export function makeFolders(directory: string, mode: number): void {
  if (existsSync(directory)) return;
  makeFolders(dirname(directory), mode);
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The text of a file of secrets; undefined when there is none. Refused when others could read it. */
export function readSecretFile(file: string): string | undefined {
  let status: ReturnType<typeof statSync>;
  try {
    status = statSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw loose(`cannot read ${file}: ${systemReason(error)}`);
  }
  if ((status.mode & othersMask) !== 0 || !isOurs(status.uid))
    throw loose(`${file} is open to others; run: chmod 600 ${file}`);
  return readFileSync(file, 'utf8');
}

/** Writes a file of secrets, whole or not at all, and durably. */
export function writeSecretFile(file: string, text: string | Uint8Array): void {
  const temporary = `${file}.new`;
  const handle = openSync(temporary, 'w', 0o600);
  writeFileSync(handle, text);
  fsyncSync(handle);
  closeSync(handle);
  renameSync(temporary, file);
  const directory = openSync(dirname(file), 'r');
  fsyncSync(directory);
  closeSync(directory);
}

function isOurs(uid: number): boolean {
  return process.getuid === undefined || process.getuid() === uid;
}

function loose(message: string): OperatorError {
  return new OperatorError('DATA_DIRECTORY', message, 2);
}
