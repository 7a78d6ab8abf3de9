import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fromHex } from '../src/base/bytes.ts';
import { exitCode } from '../src/base/fault.ts';
import { cannotRead } from '../src/node-io/input-file.ts';
import { makeOutputFolder } from '../src/node-io/output-file.ts';
import { fuzzTargets, targetNamed } from './fuzz/all-targets.ts';
import { type Failure, type HuntResult, heapGrowthBytesMax, replay, slowMsMax } from './fuzz/hunt.ts';
import { huntApart } from './fuzz/hunt-process.ts';
import { huntLive, liveCells } from './fuzz/live-cells.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { grouped, megabytes, type Terminal, table } from './terminal.ts';

/** A longer hunt is several, each with a process, a seed and a share of the cases of its own. */
const casesPerHunt = 2_000_000;

interface FuzzFlags extends GlobalOptions {
  readonly seed: number;
  readonly cases?: number;
  readonly times: number;
  readonly jobs: number;
  readonly replay?: string;
  readonly out: string;
}

/** A failing input as it is written down. */
interface FailureFile extends Failure {
  readonly target: string;
  readonly seed: string;
}

/** A target in this process's children, or the relay over TLS. */
interface Hunted {
  readonly name: string;
  readonly cases: number;
  readonly slowMsMax?: number;
}

/** What all hunts on one target came to. */
interface Tally {
  readonly target: Hunted;
  readonly goal: number;
  readonly results: readonly HuntResult[];
  /** What brings each failure about again. */
  readonly again: readonly string[];
}

/** Hunts on the targets named, on all when none is; or takes inputs of an earlier hunt again. */
export async function fuzz(flags: FuzzFlags, terminal: Terminal, names: string[]): Promise<number> {
  if (flags.replay !== undefined) return replayFile(flags.replay, terminal);
  const named = (name: string): Hunted => (name === liveCells.name ? liveCells : targetNamed(name));
  const targets = names.length === 0 ? [...fuzzTargets, liveCells] : names.map(named);
  makeOutputFolder(flags.out);
  const folder = mkdtempSync(join(tmpdir(), 'naulon-fuzz-'));
  const stopping = interruption();
  try {
    const tallies = await huntAll(targets, flags, folder, terminal, stopping.signal);
    return report(tallies, flags.seed, terminal);
  } finally {
    stopping.done();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Hunting {
  readonly target: Hunted;
  readonly cases: number;
  readonly seed: string;
}

async function huntAll(
  targets: readonly Hunted[],
  flags: FuzzFlags,
  folder: string,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Tally[]> {
  const goalOf = ({ cases }: Hunted): number => flags.cases ?? cases * flags.times;
  // The longest first, so that no core is left with them at the end.
  const queue = targets
    .flatMap(target => huntsOf(target, goalOf(target), flags.seed))
    .sort((one, other) => other.cases - one.cases);
  const results: HuntResult[] = [];
  const again = new Map<string, string[]>();
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { target, cases, seed } = next;
      const order = {
        target: target.name,
        seed,
        cases,
        guided: true,
        journal: join(folder, `${target.name}-${seed}`),
      };
      const tell = (done: number): void =>
        terminal.redraw(`${target.name}, seed ${seed}: ${grouped(done)} of ${grouped(cases)} cases`);
      const hunting = target === liveCells ? huntLive : huntApart;
      const result = await hunting(order, tell, signal);
      results.push(result);
      // A live relay is driven by the seed again, not by inputs.
      const found = result.failures.map(failure =>
        failure.inputs.length === 0
          ? `naulon fuzz ${target.name} --cases ${cases} --seed ${flags.seed}`
          : `naulon fuzz --replay ${writeFailure({ target: target.name, seed, ...failure }, flags.out)}`,
      );
      again.set(target.name, [...(again.get(target.name) ?? []), ...found]);
      terminal.say(
        `${target.name}, seed ${seed}: ${grouped(result.cases)} cases, ${result.failures[0]?.kind ?? 'all taken well'}`,
      );
    }
  };
  await Promise.all(Array.from({ length: flags.jobs }, work));
  return targets.map(target => ({
    target,
    goal: goalOf(target),
    results: results.filter(result => result.target === target.name),
    again: again.get(target.name) ?? [],
  }));
}

function huntsOf(target: Hunted, cases: number, seed: number): Hunting[] {
  const count = Math.ceil(cases / casesPerHunt);
  return Array.from({ length: count }, (_, at) => ({
    target,
    cases: Math.ceil(cases / count),
    seed: `${seed}.${at}`,
  }));
}

function writeFailure(failure: FailureFile, folder: string): string {
  const file = resolve(folder, `fuzz-${failure.target}-${failure.kind}-${failure.seed}.json`);
  writeFileSync(file, `${JSON.stringify(failure, null, 1)}\n`);
  return file;
}

function replayFile(file: string, terminal: Terminal): number {
  const { target, inputs, seed } = readFailure(file);
  const failure = replay(targetNamed(target), inputs, { seed, timed: true });
  terminal.object({ target, inputs: inputs.length, failure: failure ?? null });
  if (failure === undefined) {
    terminal.print(`${target}: all of it is taken well`);
    return exitCode.ok;
  }
  terminal.print(`${target}: ${failure.kind}: ${failure.detail}`);
  return exitCode.badAnswer;
}

function readFailure(file: string): { target: string; seed: string; inputs: Uint8Array[] } {
  try {
    const { target, seed, inputs }: Partial<FailureFile> = JSON.parse(readFileSync(file, 'utf8')) ?? {};
    if (target === undefined || seed === undefined || !Array.isArray(inputs))
      throw new Error('naulon fuzz did not write it');
    return { target, seed, inputs: inputs.map(hex => fromHex(hex) ?? new Uint8Array(0)) };
  } catch (error) {
    throw cannotRead(file, error, 'FUZZ_FILE_UNREADABLE', exitCode.missing);
  }
}

function report(tallies: readonly Tally[], seed: number, terminal: Terminal): number {
  const rows = tallies.map(factsOf);
  const short = rows.filter(({ good }) => !good).length;
  terminal.object({ seed, targets: rows, short });
  const headings = [
    'target',
    'cases',
    'goal',
    'a CPU second',
    'failures',
    'slowest ms',
    'left MB',
    'verdicts',
    'code',
  ];
  const cells = rows.map(row => [
    row.target,
    grouped(row.cases),
    grouped(row.goal),
    grouped(row.perCpuSecond),
    String(row.failures.length),
    `${row.worstMs.toFixed(1)} of ${row.slowMsMax}`,
    megabytes(row.heapGrowthBytes).replace(' MB', ''),
    String(row.verdicts),
    `${Math.round(row.coverage * 100)}%`,
  ]);
  const goals = [
    'goal',
    '',
    '',
    '',
    '0',
    String(slowMsMax),
    megabytes(heapGrowthBytesMax).replace(' MB', ''),
    '',
    '',
  ];
  for (const line of table(headings, [...cells, goals])) terminal.print(line);
  terminal.print(`seed ${seed}`);
  for (const { target, failures } of rows)
    for (const { kind, detail, again } of failures) {
      terminal.print(`${target}: ${kind}: ${detail}`);
      terminal.print(`again: ${again}`);
    }
  return short === 0 ? exitCode.ok : exitCode.badAnswer;
}

function factsOf({ target, goal, results, again }: Tally) {
  const sum = (of: (result: HuntResult) => number): number =>
    results.reduce((total, each) => total + of(each), 0);
  const most = (of: (result: HuntResult) => number): number => Math.max(0, ...results.map(of));
  const cases = sum(each => each.cases);
  const failures = results
    .flatMap(each => each.failures)
    .map(({ kind, detail }, at) => ({ kind, detail, again: again[at] }));
  return {
    target: target.name,
    cases,
    goal,
    perCpuSecond: Math.round(cases / Math.max(0.001, sum(each => each.ms) / 1_000)),
    failures,
    worstMs: most(each => each.worstMs),
    slowMsMax: target.slowMsMax ?? slowMsMax,
    heapGrowthBytes: most(each => each.heapGrowthBytes),
    verdicts: new Set(results.flatMap(each => each.verdicts)).size,
    coverage: most(each => each.coverage ?? 0),
    good: cases >= goal && failures.length === 0,
  };
}
