import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../base/fault.ts';
import { identityOf, isRunning, type ProcessIdentity } from './process-identity.ts';

const fileName = 'lock';

/**
 * Takes a data directory for this process alone: two nodes that write one ledger would both be wrong. The lock of a
 * process that died is taken over. Returns what gives it back.
 */
export function lockDirectory(directory: string): () => void {
  const file = join(directory, fileName);
  const own = identityOf(process.pid) ?? { pid: process.pid, started: '' };
  while (!createExclusively(file, JSON.stringify(own))) {
    const holder = readHolder(file);
    if (holder !== undefined && isRunning(holder))
      throw new OperatorError(
        'STORE_LOCKED',
        `${directory} is in use by process ${holder.pid}; stop it first`,
        3,
      );
    // Of several that find a dead lock, one renames it; the others look again.
    const aside = `${file}.${process.pid}`;
    try {
      renameSync(file, aside);
      rmSync(aside, { force: true });
    } catch {}
  }
  return () => rmSync(file, { force: true });
}

function createExclusively(file: string, text: string): boolean {
  try {
    const handle = openSync(file, 'wx', 0o600);
    writeSync(handle, text);
    closeSync(handle);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
