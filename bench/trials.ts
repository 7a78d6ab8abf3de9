import type { Terminal } from '../scripts/terminal.ts';
import { OperatorError } from '../src/base/fault.ts';

/** What makes one thing that is measured different from the next: who, how many circuits, which window. */
export type Factors = Readonly<Record<string, string | number>>;

/** How a kind of value reads. */
export interface Measure {
  readonly unit: string;
  /** Which way is better; absent where neither is. */
  readonly better?: 'more' | 'less';
}

/** The values of all repeats of one measure under one set of factors, in order. */
export interface Series {
  readonly measure: string;
  readonly factors: Factors;
  readonly values: readonly number[];
}

/** Something that is measured again and again. */
export interface Trial {
  /** As progress names it. */
  readonly name: string;
  readonly factors: Factors;
  /** Once: the values that it found, by measure. `tell` says how far it has come. */
  run(repeat: number, tell: (progress: string) => void): Promise<Readonly<Record<string, number>>>;
  /** What is measured is not ours and drops a stream now and then: it is tried again, and that is told. */
  readonly unsteady?: boolean;
}

const triesMax = 3;

/**
 * Repeats go round all trials in turn, there and back again, so that a slow minute of the machine touches each of them
 * and none always follows the same one. A first round, which counts for nothing, warms caches and compilers.
 */
export async function measureTrials(
  trials: readonly Trial[],
  { repeat, warmUp = 1 }: { readonly repeat: number; readonly warmUp?: 0 | 1 },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Series[]> {
  const series = new Map<string, Series & { readonly values: number[] }>();
  let done = 0;
  for (let round = -warmUp; round < repeat; round++) {
    const order = round % 2 === 0 ? trials : [...trials].reverse();
    for (const trial of order) {
      signal.throwIfAborted();
      const counted = round >= 0;
      const place = counted ? `${done + 1}/${repeat * trials.length}` : 'warm-up';
      terminal.redraw(`${place}  ${trial.name}`);
      const found = await tried(trial, round, place, terminal);
      if (!counted) continue;
      done += 1;
      terminal.say(`${place}  ${trial.name}: ${Object.entries(found).map(shown).join(', ')}`);
      for (const [measure, value] of Object.entries(found)) {
        const key = seriesKey({ measure, factors: trial.factors });
        const known = series.get(key) ?? { measure, factors: trial.factors, values: [] };
        known.values.push(value);
        series.set(key, known);
      }
    }
  }
  return [...series.values()];
}

async function tried(
  trial: Trial,
  round: number,
  place: string,
  terminal: Terminal,
): Promise<Readonly<Record<string, number>>> {
  for (let tries = 1; ; tries++) {
    try {
      return await trial.run(round, progress => terminal.redraw(`${place}  ${trial.name}  ${progress}`));
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      // Several networks are measured side by side: which one failed?
      const told = `${trial.name}: ${error.message}`;
      if (!trial.unsteady || tries === triesMax) throw new OperatorError(error.code, told, error.exitCode);
      terminal.say(`${place}  once more after ${told}`);
    }
  }
}

const shown = ([measure, value]: readonly [string, number]): string => `${measure} ${significant(value)}`;

/** A number with three significant digits, or all of a large one's. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const whole = Math.abs(value) >= 100;
  return (whole ? Math.round(value) : Number(value.toPrecision(3))).toLocaleString('en-US', {
    maximumFractionDigits: 6,
  });
}

/** Equal for the same measure under the same factors. */
export function seriesKey({ measure, factors }: Pick<Series, 'measure' | 'factors'>): string {
  const named = Object.entries(factors).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([measure, named]);
}

/** The values of one series; none when it was not measured. */
export function valuesOf(series: readonly Series[], measure: string, factors: Factors): readonly number[] {
  const key = seriesKey({ measure, factors });
  return series.find(each => seriesKey(each) === key)?.values ?? [];
}
