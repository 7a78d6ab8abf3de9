import type { TopLevelSpec } from 'vega-lite';
import { grouped } from '../scripts/terminal.ts';
import { fittedCost, type Growth, growthOf, type SizedValues } from './growth.ts';
import { spreadOf } from './statistics.ts';
import type { Measure, Series } from './trials.ts';

/** One quantity over one size. */
export interface GrowthPanel {
  readonly measure: string;
  readonly title: string;
  /** The factor that is the size. */
  readonly over: string;
  /** The factor that tells several lines apart; absent: there is one. */
  readonly by?: string;
}

/** One line of a panel. */
export interface GrowthLine {
  readonly name: string;
  readonly sized: readonly SizedValues[];
  /** Undefined: measured at one size alone. */
  readonly growth: Growth | undefined;
}

/** The lines of a panel, in the order in which they were measured. */
export function linesOf(series: readonly Series[], { measure, over, by }: GrowthPanel): GrowthLine[] {
  const ours = series.filter(each => each.measure === measure && over in each.factors);
  const nameOf = ({ factors }: Series): string => (by === undefined ? '' : String(factors[by]));
  return [...new Set(ours.map(nameOf))].map(name => {
    const sized = ours
      .filter(each => nameOf(each) === name)
      .map(({ factors, values }) => ({ size: Number(factors[over]), values }));
    return { name, sized, growth: growthOf(sized) };
  });
}

/** `relays^0.98`, and what that is made of where it bends. */
export function growthText(over: string, { exponent, bend }: Growth): string {
  const text = `${over}^${exponent.value.toFixed(2)}`;
  if (bend === undefined) return text;
  return `${text} (${bend.exponentBelow.toFixed(2)} up to ${grouped(bend.at)}, then ${bend.exponentAbove.toFixed(2)})`;
}

/** Panels of points over size, both axes logarithmic, each with the range of its repeats and the power that was fitted. */
export function growthPlot({
  title,
  subtitle,
  measures,
  series,
  panels,
}: {
  readonly title: string;
  readonly subtitle: readonly string[];
  readonly measures: Readonly<Record<string, Measure>>;
  readonly series: readonly Series[];
  readonly panels: readonly GrowthPanel[];
}): TopLevelSpec {
  const drawn = panels
    .map(panel => ({ panel, lines: linesOf(series, panel) }))
    .filter(({ lines }) => lines.length > 0);
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: {
      text: title,
      subtitle: [
        ...subtitle,
        'points: median; lines up and down: least to most of the repeats; dashed: the power fitted, or two where it bends',
      ],
      offset: 12,
    },
    background: 'white',
    padding: 12,
    columns: 2,
    spacing: 36,
    resolve: { scale: { x: 'independent', y: 'independent', color: 'independent' } },
    concat: drawn.map(({ panel, lines }) => panelOf(panel, lines, measures[panel.measure]?.unit ?? '')),
  };
}

function panelOf({ title, over }: GrowthPanel, lines: readonly GrowthLine[], unit: string) {
  const labelOf = ({ name, growth }: GrowthLine): string =>
    [name, growth && growthText(over, growth)].filter(Boolean).join(': ');
  const points = lines.flatMap(line =>
    line.sized.map(({ size, values }) => ({ line: labelOf(line), size, ...spreadOf(values) })),
  );
  const sizes = [...new Set(points.map(({ size }) => size))].sort((a, b) => a - b);
  const fitted = lines.flatMap(line => {
    const { growth } = line;
    if (growth === undefined) return [];
    return line.sized.map(({ size }) => ({
      line: labelOf(line),
      size,
      median: fittedCost(growth, size),
    }));
  });
  const log = { type: 'log' as const, nice: false, padding: 12 };
  const x = {
    field: 'size',
    type: 'quantitative' as const,
    scale: log,
    axis: { values: sizes, format: ',d', grid: false },
    title: over,
  };
  const y = { type: 'quantitative' as const, scale: log, title: unit };
  const color = {
    field: 'line',
    type: 'nominal' as const,
    scale: { domain: lines.map(labelOf) },
    title: null,
    legend: { orient: 'bottom' as const, columns: 1, labelLimit: 0 },
  };
  return {
    title: { text: title, fontSize: 12, anchor: 'start' as const, frame: 'group' as const },
    width: 360,
    height: 240,
    data: { values: points },
    layer: [
      {
        mark: { type: 'rule' as const },
        encoding: { x, y: { ...y, field: 'min' }, y2: { field: 'max' }, color },
      },
      {
        mark: { type: 'point' as const, filled: true, size: 45, opacity: 1 },
        encoding: { x, y: { ...y, field: 'median' }, color },
      },
      {
        data: { values: fitted },
        mark: { type: 'line' as const, strokeDash: [5, 4] },
        encoding: { x, y: { ...y, field: 'median' }, color },
      },
    ],
  };
}
