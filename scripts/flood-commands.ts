import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describeEnvironment } from '../bench/environment.ts';
import type { Stage } from '../bench/run-bench.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { FloodLab } from './flood/flood-lab.ts';
import { type FloodResult, floods, runFlood, type Undisturbed } from './flood/floods.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { megabytes, type Terminal, table } from './terminal.ts';

interface FloodFlags extends GlobalOptions {
  readonly seconds: number;
  readonly scale: number;
  readonly bitcoind?: string;
}

/** Honest clients need a moment until their windows are what they should be. */
const warmUpMs = 3_000;

/** One flood after the other against a paid network whose honest clients go on; 1 when a figure falls short. */
export async function flood(options: FloodFlags, terminal: Terminal, names: string[]): Promise<number> {
  const wanted = names.length === 0 ? Object.keys(floods) : names;
  const unknown = wanted.find(name => floods[name] === undefined);
  if (unknown !== undefined)
    throw new OperatorError(
      'USAGE',
      `there is no flood "${unknown}"; there are ${Object.keys(floods).join(', ')}`,
      exitCode.usage,
    );
  const stopping = interruption();
  const dir = await mkdtemp(join(tmpdir(), 'naulon-flood-'));
  const stops: (() => Promise<unknown>)[] = [];
  const { signal } = stopping;
  const stage: Stage = {
    dir,
    terminal,
    environment: await describeEnvironment(),
    signal,
    defer: stop => void stops.push(stop),
  };
  try {
    const interrupted = stopping.requested.then((): never => {
      throw new Error('interrupted');
    });
    return report(await Promise.race([runAll(wanted, options, stage), interrupted]), terminal);
  } catch (error) {
    if (signal.aborted) return exitCode.interrupted;
    throw error;
  } finally {
    for (const stop of stops.reverse()) await stop();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    stopping.done();
  }
}

async function runAll(
  wanted: readonly string[],
  { seconds, scale, bitcoind }: FloodFlags,
  stage: Stage,
): Promise<FloodResult[]> {
  const { terminal, signal } = stage;
  const lab = await FloodLab.start(stage, bitcoind);
  await pause(warmUpMs);
  const quiet = await lab.watch(['guard1'], () => pause(seconds * 1_000));
  const undisturbed: Undisturbed = {
    bytesPerSecond: quiet.bytesPerSecond,
    bootstrapSeconds: wanted.some(name => floods[name].besides) ? await lab.bootstrapSeconds() : 0,
  };
  terminal.say(
    `undisturbed: ${megabytes(quiet.bytesPerSecond)}/s, event loop of guard1 p99 ${quiet.loop.guard1.p99Ms.toFixed(1)} ms, ${(100 * quiet.cpu.guard1).toFixed(0)} % of a core; ${loadavg()[0].toFixed(1)} processes want this machine's ${stage.environment.cores} cores`,
  );
  const results: FloodResult[] = [];
  for (const name of wanted) {
    signal.throwIfAborted();
    terminal.say(`${name}: ${floods[name].title}`);
    const result = await runFlood(lab, name, { ms: seconds * 1_000, scale, undisturbed });
    results.push(result);
    for (const { what, reached, goal, met } of result.figures)
      terminal.say(`  ${met ? ' ' : '!'} ${what}: ${reached}${goal && ` (${goal})`}`);
    await pause(warmUpMs);
  }
  return results;
}

function report(results: readonly FloodResult[], terminal: Terminal): number {
  const short = results.flatMap(({ figures }) => figures.filter(({ met }) => !met));
  terminal.object({ met: short.length === 0, floods: results });
  const rows = results.flatMap(({ flood, figures }) =>
    figures.map(({ what, reached, goal, met }, at) => [
      at === 0 ? flood : '',
      what,
      reached,
      goal,
      met ? '' : 'falls short',
    ]),
  );
  for (const line of table(['flood', 'what', 'reached', 'goal', ''], rows)) terminal.print(line);
  terminal.print(short.length === 0 ? 'all figures reach their goals' : `${short.length} figures fall short`);
  return short.length === 0 ? exitCode.ok : exitCode.badAnswer;
}
