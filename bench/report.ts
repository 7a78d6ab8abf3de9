import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';
import { type Terminal, table, toJson } from '../scripts/terminal.ts';
import type { Environment } from './environment.ts';
import { writePlot } from './plot.ts';
import { type Estimate, spreadOf } from './statistics.ts';
import { type Measure, type Series, significant } from './trials.ts';

/** What was aimed at. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** What a benchmark concludes from its series: a ratio of two of them, or one value that counts by itself. */
export interface Finding extends Estimate {
  readonly name: string;
  /** `x` for ratios. */
  readonly unit: string;
  readonly goal?: Goal;
}

/** What a benchmark came to. */
export interface Findings {
  /** What it was asked to do: sizes, repeats. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly measures: Readonly<Record<string, Measure>>;
  readonly series: readonly Series[];
  readonly findings: readonly Finding[];
  readonly plot: TopLevelSpec;
  /** What must be said beside the figures. */
  readonly notes?: readonly string[];
}

export function isMet({ value, goal }: Pick<Finding, 'value' | 'goal'>): boolean | undefined {
  if (goal === undefined) return undefined;
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
}

/** Writes BENCH.json, .csv, .svg, .png and .vl.json into `out`, and prints the same as tables. */
export async function report(
  bench: string,
  out: string,
  environment: Environment,
  found: Findings,
  terminal: Terminal,
): Promise<void> {
  const { plot, notes = [], ...rest } = found;
  const series = found.series.map(each => ({ ...each, ...spreadOf(each.values) }));
  const findings = found.findings.map(each => ({ ...each, met: isMet(each) }));
  const results = { bench, environment, ...rest, series, findings, notes };
  const path = join(out, bench);
  mkdirSync(out, { recursive: true });
  writeFileSync(`${path}.json`, `${toJson(results)}\n`);
  writeFileSync(`${path}.csv`, csvOf(found));
  await writePlot(plot, path);
  terminal.object({ ...results, files: ['json', 'csv', 'svg', 'png'].map(ending => `${path}.${ending}`) });
  for (const line of seriesTable(found)) terminal.print(line);
  if (findings.length > 0) terminal.print('');
  for (const line of findingsTable(found.findings)) terminal.print(line);
  terminal.print('');
  for (const note of notes) terminal.print(note);
  terminal.print(environmentLine(environment));
  terminal.print(`written: ${path}.{json,csv,svg,png,vl.json}`);
}

/** On what it was measured, in a line. */
export function environmentLine({ cores, cpu, node, commit, loadBefore }: Environment): string {
  const load =
    loadBefore > cores / 2 ? `${loadBefore.toFixed(2)}, so others were at work` : loadBefore.toFixed(2);
  return `${cores} cores of ${cpu}, Node ${node}, commit ${commit}, load before ${load}`;
}

/** Names of all factors, in the order in which they first come. */
function factorsIn(series: readonly Series[]): string[] {
  return [...new Set(series.flatMap(({ factors }) => Object.keys(factors)))];
}

/** One row for each repeat of each series. */
export function csvOf({ series, measures }: Pick<Findings, 'series' | 'measures'>): string {
  const factorNames = factorsIn(series);
  const rows = series.flatMap(({ measure, factors, values }) =>
    values.map((value, repeat) => [
      measure,
      measures[measure]?.unit ?? '',
      ...factorNames.map(name => factors[name] ?? ''),
      repeat,
      Number(value.toPrecision(6)),
    ]),
  );
  const lines = [['measure', 'unit', ...factorNames, 'repeat', 'value'], ...rows];
  return `${lines.map(line => line.map(csvField).join(',')).join('\n')}\n`;
}

/** spec: RFC 4180, 2.6 and 2.7 */
function csvField(value: string | number): string {
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function seriesTable({ series, measures }: Pick<Findings, 'series' | 'measures'>): string[] {
  const factorNames = factorsIn(series);
  const rows = series.map(({ measure, factors, values }) => {
    const { median, min, max, repeats } = spreadOf(values);
    const unit = measures[measure]?.unit ?? '';
    const named = factorNames.map(name => shownFactor(factors[name]));
    return [measure, ...named, ...[median, min, max].map(significant), String(repeats), unit];
  });
  return table(['measure', ...factorNames, 'median', 'min', 'max', 'repeats', 'unit'], rows);
}

const shownFactor = (value: string | number | undefined): string =>
  typeof value === 'number' ? value.toLocaleString('en-US') : (value ?? '');

export function findingsTable(findings: readonly Finding[]): string[] {
  if (findings.length === 0) return [];
  const rows = findings.map(finding => {
    const { name, value, low, high, unit, goal } = finding;
    const met = isMet(finding);
    return [
      name,
      significant(value),
      `${significant(low)} … ${significant(high)}`,
      unit,
      goal === undefined
        ? ''
        : 'atLeast' in goal
          ? `≥ ${significant(goal.atLeast)}`
          : `≤ ${significant(goal.atMost)}`,
      met === undefined ? '' : met ? 'met' : 'missed',
    ];
  });
  return table(['finding', 'value', '95 % confidence', 'unit', 'goal', ''], rows);
}
