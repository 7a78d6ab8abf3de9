import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GlobalOptions } from '../scripts/global-options.ts';
import { interruption } from '../scripts/interruption.ts';
import type { Terminal } from '../scripts/terminal.ts';
import { exitCode } from '../src/base/fault.ts';
import { letHeapGrow } from '../src/node-io/heap-growth.ts';
import { makeOutputFolder } from '../src/node-io/output-file.ts';
import { describeEnvironment, type Environment } from './environment.ts';
import { type Findings, report } from './report.ts';

/** What every benchmark takes. */
export interface BenchOptions extends GlobalOptions {
  /** The same in small, in less than a minute: to see that it works, not what it measures. */
  readonly quick?: boolean;
  readonly repeat: number;
  /** The folder for results. */
  readonly out: string;
}

/** What a benchmark works with. */
export interface Stage {
  /** An empty folder, removed at the end. */
  readonly dir: string;
  readonly terminal: Terminal;
  readonly environment: Environment;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** What must be stopped at the end, however it comes: the last first. */
  defer(stop: () => Promise<unknown>): void;
}

/** A benchmark from start to end: the machine is looked at first, everything it started is stopped, results are written. */
export async function runBench(
  name: string,
  options: BenchOptions,
  terminal: Terminal,
  work: (stage: Stage) => Promise<Findings>,
): Promise<number> {
  makeOutputFolder(options.out);
  // Who serves and downloads shares the machine with what is measured.
  letHeapGrow();
  const environment = await describeEnvironment();
  const stopping = interruption();
  const dir = await mkdtemp(join(tmpdir(), 'naulon-bench-'));
  const stops: (() => Promise<unknown>)[] = [];
  const stage: Stage = {
    dir,
    terminal,
    environment,
    signal: stopping.signal,
    defer: stop => void stops.push(stop),
  };
  let found: Findings;
  try {
    found = await work(stage);
  } catch (error) {
    if (stopping.signal.aborted) return exitCode.interrupted;
    throw error;
  } finally {
    terminal.redraw('');
    for (const stop of stops.reverse()) await stop();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    stopping.done();
  }
  const settings = { quick: options.quick ?? false, ...found.settings };
  await report(name, options.out, environment, { ...found, settings }, terminal);
  return exitCode.ok;
}
