import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
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
  /** Cores that others kept busy, over a moment before the run. The system's load would still tell of an earlier run of ours. */
  readonly loadBefore: number;
}

const lookMs = 2_000;

export async function describeEnvironment(): Promise<Environment> {
  const loadBefore = await coresBusy();
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
    loadBefore,
  };
}

async function coresBusy(): Promise<number> {
  const busyMs = () =>
    cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  const [before, started] = [busyMs(), performance.now()];
  await pause(lookMs);
  return (busyMs() - before) / (performance.now() - started);
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
