import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process, and not a later one that was given the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, as its system says it: clock ticks since boot on Linux, else a date. */
  readonly started: string;
}

/** When the process started; undefined when there is none, or only what its parent has not yet buried. */
export function startOf(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The command in parentheses may hold anything; the fields after it are counted from its end: state is the
      // 3rd of all fields, starttime the 22nd. Source: proc(5).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const started = startOf(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isRunning(process: ProcessIdentity): boolean {
  return startOf(process.pid) === process.started;
}

/** Sends a signal to that very process; false when it is gone, whoever has its number now. */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(target)) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch {
    return false;
  }
}
