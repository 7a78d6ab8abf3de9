import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { cannotWrite, requireOutput } from '../src/node-io/output-file.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import type { Breach } from './sim/trial/rule-book.ts';
import { rules } from './sim/trial/rule-book.ts';
import { shrunk } from './sim/trial/shrink.ts';
import { type Hardships, runTrial, type TrialResult } from './sim/trial/trial.ts';
import {
  type ActKind,
  actKinds,
  drawPlan,
  type PlanChanges,
  type TrialPlan,
  trialSchemes,
  trialSteps,
} from './sim/trial/trial-plan.ts';
import { grouped, type Terminal, table } from './terminal.ts';

/** One trial in so many is run twice, to see that nothing but its seed decides it. */
const twiceEvery = 8;
const hardshipKinds: readonly (keyof Hardships)[] = ['reorgs', 'doubleSpends', 'races'];

interface TrialFlags extends GlobalOptions {
  readonly seed: number;
  readonly steps?: number;
  readonly scheme?: string;
  readonly relays?: number;
  readonly clients?: number;
  readonly kinds?: readonly string[];
  readonly acts?: readonly number[];
}

interface RunFlags extends GlobalOptions {
  readonly seed: number;
  readonly steps: number;
  readonly scheme?: string;
}

/** What the trials of a run came to so far. */
interface Reached extends Hardships {
  readonly trials: number;
  readonly twice: number;
  readonly steps: number;
  readonly payments: number;
}

/** Trials until so many steps are done, or a rule breaks. Ctrl-C ends it after the trial under way. */
export async function run({ seed, steps, scheme }: RunFlags, terminal: Terminal): Promise<number> {
  const began = process.cpuUsage();
  const always = scheme === undefined ? {} : { scheme: schemeNamed(scheme) };
  const stopping = interruption();
  let [done, trials, payments, twice] = [0, 0, 0, 0];
  const met = { reorgs: 0, doubleSpends: 0, races: 0 };
  while (done < steps && !stopping.signal.aborted) {
    const changes = { ...(steps - done < trialSteps ? { steps: steps - done } : {}), ...always };
    const plan = drawPlan(seed + trials, changes);
    const result = runTrial(plan);
    const again = result.breach === undefined && trials % twiceEvery === 0 ? runTrial(plan) : undefined;
    const breach = result.breach ?? differenceOf(result, again);
    trials += 1;
    payments += result.payments;
    for (const kind of hardshipKinds) met[kind] += result.hardships[kind];
    done += result.steps + (again?.steps ?? 0);
    if (again !== undefined) twice += 1;
    if (breach !== undefined) {
      stopping.done();
      return tellBreach(plan, changes, result, breach, terminal);
    }
    terminal.say(
      `seed ${plan.seed}, ${plan.scheme}: ${grouped(result.steps)} steps, ${grouped(result.payments)} payments, ${result.blocks} blocks, all rules held; ${grouped(done)} of at least ${grouped(steps)} steps`,
    );
    // Signals are heard between trials.
    await new Promise(setImmediate);
  }
  stopping.done();
  const { user, system } = process.cpuUsage(began);
  const perSecond = Math.round(done / ((user + system) / 1e6));
  const rest = { seed: seed + trials, steps: steps - done, scheme };
  const goOn = done < steps ? `naulon sim run${flagsOf(rest)}` : undefined;
  tellReached({ trials, twice, steps: done, payments, ...met }, steps, perSecond, goOn, terminal);
  return goOn === undefined ? exitCode.ok : exitCode.interrupted;
}

/** @param goOn what does the rest of a run that was interrupted. */
function tellReached(
  reached: Reached,
  goal: number,
  stepsPerCpuSecond: number,
  goOn: string | undefined,
  terminal: Terminal,
): void {
  const { trials, twice, steps, payments, reorgs, doubleSpends, races } = reached;
  terminal.object({ ...reached, stepsPerCpuSecond, breach: null, goOn });
  for (const line of table(
    ['what', 'reached', 'goal', 'a night'],
    [
      ['steps', grouped(steps), grouped(goal), '5,000,000,000'],
      ['trials', grouped(trials), '', '10,000'],
      ['of them twice, with equal hashes', grouped(twice), '', ''],
      ['payments', grouped(payments), '', ''],
      ['reorganisations', grouped(reorgs), '', '1,000'],
      ['contracts spent twice', grouped(doubleSpends), '', '1,000'],
      ['refund races', grouped(races), '', '10,000'],
      ['rules broken', '0', '0', '0'],
      ['steps a CPU second', grouped(stepsPerCpuSecond), '100,000', '100,000'],
    ],
  ))
    terminal.print(line);
  if (goOn !== undefined) terminal.print(`interrupted; the rest: ${goOn}`);
}

/** One trial, twice. */
export async function replay(
  options: TrialFlags & { readonly trace?: string },
  terminal: Terminal,
): Promise<number> {
  const changes = changesOf(options);
  const plan = drawPlan(options.seed, changes);
  if (options.trace !== undefined) requireOutput(options.trace);
  const trace = options.trace === undefined ? undefined : createWriteStream(options.trace);
  const result = runTrial(plan, trace && (line => trace.write(`${line}\n`)));
  if (trace !== undefined) {
    trace.end();
    await finished(trace).catch((error: Error) => {
      throw cannotWrite(options.trace ?? '', error);
    });
  }
  for (const { number, kind, atMs, what } of result.acts)
    terminal.detail(`${atMs.toFixed(0)} ms: act ${number}, ${kind}: ${what}`);
  const breach = differenceOf(result, runTrial(plan)) ?? result.breach;
  if (breach !== undefined) return tellBreach(plan, changes, result, breach, terminal);
  const absent = plan.acts?.find(act => result.acts.every(({ number }) => number !== act));
  if (absent !== undefined)
    throw new OperatorError('USAGE', `--acts: this trial ends before an act ${absent}`, exitCode.usage);
  const { steps, payments, blocks, digest } = result;
  terminal.object({ seed: plan.seed, steps, payments, blocks, digest, breach: null });
  terminal.print(
    `seed ${plan.seed}: ${grouped(steps)} steps, ${grouped(payments)} payments, ${blocks} blocks, all rules held; trace hash ${digest}`,
  );
  return exitCode.ok;
}

/** Smaller and smaller, as long as the same rule breaks. */
export async function shrink(options: TrialFlags, terminal: Terminal): Promise<number> {
  const changes = changesOf(options);
  const first = runTrial(drawPlan(options.seed, changes));
  if (first.breach === undefined) {
    terminal.object({ seed: options.seed, breach: null });
    terminal.print(`seed ${options.seed}: all rules held, so there is nothing to make smaller`);
    return exitCode.ok;
  }
  const { changes: smaller, result } = shrunk(options.seed, changes, first, tried => terminal.say(tried));
  return tellBreach(result.plan, smaller, result, result.breach as Breach, terminal);
}

function differenceOf(one: TrialResult, other: TrialResult | undefined): Breach | undefined {
  if (other === undefined || one.digest === other.digest) return undefined;
  return {
    rule: 'same',
    detail: `hashes ${one.digest} and ${other.digest}`,
    step: one.steps,
    virtualMs: one.virtualMs,
  };
}

function tellBreach(
  plan: TrialPlan,
  changes: PlanChanges,
  result: TrialResult,
  breach: Breach,
  terminal: Terminal,
): number {
  const line = replayLine(plan.seed, changes);
  const { rule, detail, step, virtualMs } = breach;
  terminal.object({ seed: plan.seed, steps: result.steps, digest: result.digest, breach, replay: line });
  terminal.print(`${rule} is broken: ${detail}`);
  terminal.print(`${rule}: ${rules[rule]}`);
  terminal.print(
    `seed ${plan.seed}, step ${grouped(step)}, ${(virtualMs / 1_000).toFixed(3)} s, trace hash ${result.digest}`,
  );
  terminal.print(`again: ${line}`);
  return exitCode.badAnswer;
}

/** The command that does the same again. */
export function replayLine(
  seed: number,
  { steps, scheme, relays, clients, kinds, acts }: PlanChanges,
): string {
  return `naulon sim replay${flagsOf({
    seed,
    steps,
    scheme,
    relays,
    clients,
    kinds: kinds?.join(','),
    acts: acts && (acts.join(',') || "''"),
  })}`;
}

function flagsOf(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return given.map(([name, value]) => ` --${name} ${value}`).join('');
}

function schemeNamed(name: string): string {
  if (trialSchemes.includes(name)) return name;
  throw new OperatorError('USAGE', `--scheme: ${name} is none of ${trialSchemes.join(', ')}`, exitCode.usage);
}

function changesOf({ steps, scheme, relays, clients, kinds, acts }: TrialFlags): PlanChanges {
  const unknown = kinds?.find(kind => !(actKinds as readonly string[]).includes(kind));
  if (unknown !== undefined) {
    throw new OperatorError('USAGE', `--kinds: ${unknown} is none of ${actKinds.join(', ')}`, exitCode.usage);
  }
  const given = {
    steps,
    scheme: scheme && schemeNamed(scheme),
    relays,
    clients,
    kinds: kinds as readonly ActKind[] | undefined,
    acts,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
