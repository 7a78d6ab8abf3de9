import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { findTor } from '../scripts/tor-node.ts';

/** What a figure depends on besides the program; recorded with every result. */
export interface Environment {
  readonly commit: string;
  readonly node: string;
  /** The C tor on PATH, in its own words. */
  readonly tor: string;
  readonly openssl: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMib: number;
  /** Durable 200-byte appends a second to the temporary folder, one at a time. */
  readonly diskSyncsPerSecond: number;
  /** Load of the machine over the last minute, before the run. */
  readonly loadBefore: number;
}

export function describeEnvironment(): Environment {
  return {
    commit: commitOfCheckout(),
    node: process.version,
    tor: versionOfTor(),
    openssl: process.versions.openssl,
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryMib: Math.round(totalmem() / 2 ** 20),
    diskSyncsPerSecond: measureDiskSync(),
    loadBefore: loadavg()[0],
  };
}

function commitOfCheckout(): string {
  try {
    const git = (...words: string[]) =>
      execFileSync('git', words, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return git('rev-parse', '--short=12', 'HEAD') + (changed ? ' with uncommitted changes' : '');
  } catch {
    return 'not a checkout';
  }
}

function versionOfTor(): string {
  try {
    return execFileSync(findTor(), ['--version'], { encoding: 'utf8' }).split('\n')[0];
  } catch {
    return 'none';
  }
}

function measureDiskSync(): number {
  const directory = mkdtempSync(join(tmpdir(), 'naulon-disk-'));
  const file = openSync(join(directory, 'log'), 'a');
  const record = Buffer.alloc(200);
  const writes = 200;
  const started = process.hrtime.bigint();
  for (let i = 0; i < writes; i++) {
    writeSync(file, record);
    fdatasyncSync(file);
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  closeSync(file);
  rmSync(directory, { recursive: true });
  return Math.round(writes / seconds);
}
