import { spawn } from 'node:child_process';
import { naulonFile } from './node-process.ts';

/** What a command line came to. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In place of ./naulon. */
  readonly file?: string;
}

/** Runs the program as a user would, in a process of its own. */
export function runNaulon(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { cwd, env, file = naulonFile() } = options;
  const child = spawn(process.execPath, [file, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', chunk => {
    out += chunk;
  });
  child.stderr.on('data', chunk => {
    err += chunk;
  });
  return new Promise(done => child.once('close', code => done({ code, out, err })));
}
