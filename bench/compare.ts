import type { GlobalOptions } from '../scripts/global-options.ts';
import { colour, type Terminal, table } from '../scripts/terminal.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { type Results, readResults } from './results-file.ts';
import { type Estimate, ratioOf, spreadOf } from './statistics.ts';
import { type Series, seriesKey, significant } from './trials.ts';

type Measured = Pick<Results, 'measures'> & { readonly series: readonly Series[] };

/** With fewer, the spread is not known. */
const repeatsMin = 3;
/** What is not worth a word, however sure it is: two builds of the same program differ by as much. */
const noticeable = 0.03;

export type Verdict = 'worse' | 'better' | 'same' | 'too few repeats';

/** One series in both files. */
export interface Change extends Pick<Series, 'measure' | 'factors'> {
  readonly unit: string;
  /** Medians. */
  readonly before: number;
  readonly after: number;
  /** After as a multiple of before. */
  readonly ratio: Estimate;
  readonly verdict: Verdict;
}

/**
 * What became of each series that has a better and a worse. It is judged by the bounds of the ratio, so that what lies within
 * the spread of either file is `same`.
 */
export function changesBetween(before: Measured, after: Measured): Change[] {
  const known = new Map(before.series.map(each => [seriesKey(each), each]));
  return after.series.flatMap(({ measure, factors, values }) => {
    const earlier = known.get(seriesKey({ measure, factors }))?.values;
    const { better, unit = '' } = after.measures[measure] ?? {};
    if (earlier === undefined || better === undefined) return [];
    const ratio = ratioOf(values, earlier);
    const few = Math.min(values.length, earlier.length) < repeatsMin;
    return [
      {
        measure,
        factors,
        unit,
        before: spreadOf(earlier).median,
        after: spreadOf(values).median,
        ratio,
        verdict: few ? 'too few repeats' : verdictOf(ratio, better),
      },
    ];
  });
}

function verdictOf({ value, low, high }: Estimate, better: 'more' | 'less'): Verdict {
  if (high < 1 && value < 1 - noticeable) return better === 'more' ? 'worse' : 'better';
  if (low > 1 && value > 1 + noticeable) return better === 'more' ? 'better' : 'worse';
  return 'same';
}

/** Holds one file of results against an earlier one of the same benchmark; the answer is bad when anything got worse. */
export async function compare(
  _options: GlobalOptions,
  terminal: Terminal,
  [earlier, later]: string[],
): Promise<number> {
  const [before, after] = [readResults(earlier), readResults(later)];
  if (before.bench !== after.bench) {
    const what = `${earlier} is of bench ${before.bench}, ${later} of bench ${after.bench}`;
    throw new OperatorError('COMPARE_DIFFERENT', what, exitCode.usage);
  }
  const changes = changesBetween(before, after);
  if (changes.length === 0) {
    const what = `${earlier} and ${later} have nothing in common that could be better or worse`;
    throw new OperatorError('COMPARE_DIFFERENT', what, exitCode.usage);
  }
  const doubts = doubtsOf(before, after);
  const worse = changes.filter(({ verdict }) => verdict === 'worse').length;
  terminal.object({ before: before.environment, after: after.environment, doubts, worse, changes });
  for (const line of changesTable(changes)) terminal.print(line);
  terminal.print('');
  for (const doubt of doubts) terminal.print(doubt);
  terminal.print(`${worse} of ${changes.length} got worse, from ${commitOf(before)} to ${commitOf(after)}`);
  return worse === 0 ? exitCode.ok : exitCode.badAnswer;
}

const commitOf = ({ environment }: Results): string => `commit ${environment.commit}`;

/** Why the two may differ without the program having changed. */
function doubtsOf(before: Results, after: Results): string[] {
  const machine = ({ environment: { cores, cpu, node } }: Results) =>
    `${cores} cores of ${cpu}, Node ${node}`;
  const settings = Object.keys({ ...before.settings, ...after.settings }).filter(
    name => JSON.stringify(before.settings[name]) !== JSON.stringify(after.settings[name]),
  );
  return [
    ...(machine(before) === machine(after)
      ? []
      : [`measured on different machines: ${machine(before)}; ${machine(after)}`]),
    ...(settings.length === 0 ? [] : [`measured with different settings: ${settings.join(', ')}`]),
  ];
}

const colours: Readonly<Record<Verdict, (text: string) => string>> = {
  worse: colour.red,
  better: colour.green,
  same: text => text,
  'too few repeats': colour.dim,
};

function changesTable(changes: readonly Change[]): string[] {
  const rows = changes.map(({ measure, factors, before, after, ratio, unit, verdict }) => [
    measure,
    Object.entries(factors)
      .map(([name, value]) => `${name} ${typeof value === 'number' ? value.toLocaleString('en-US') : value}`)
      .join(', '),
    significant(before),
    significant(after),
    unit,
    `${significant(ratio.value)} (${significant(ratio.low)} … ${significant(ratio.high)})`,
    colours[verdict](verdict),
  ]);
  return table(['measure', 'of', 'before', 'after', 'unit', 'after / before, 95 %', ''], rows);
}
