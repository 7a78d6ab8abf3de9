import type { TopLevelSpec } from 'vega-lite';
import { spreadOf } from './statistics.ts';
import type { Measure, Series } from './trials.ts';

/** One panel: a measure's medians as bars, side by side for what is compared. */
export interface BarPanel {
  readonly measure: string;
  readonly title: string;
  /** What stands along the axis; absent: what is compared. */
  readonly along?: string;
  /** Names what is along the axis. */
  readonly alongTitle?: string;
  readonly where?: (series: Series) => boolean;
}

export interface BarPlotOptions {
  readonly title: string;
  readonly subtitle: readonly string[];
  /** The factor that colours tell apart. */
  readonly by: string;
  readonly measures: Readonly<Record<string, Measure>>;
  readonly series: readonly Series[];
  readonly panels: readonly BarPanel[];
  readonly columns?: number;
  /** The colours of what is compared, in its order; absent: the usual ones, of which there are ten. */
  readonly coloursOf?: (subjects: readonly string[]) => readonly string[];
}

/** Panels of bars, each with the range of its repeats. */
export function barPlot({
  title,
  subtitle,
  by,
  measures,
  series,
  panels,
  columns = 2,
  coloursOf,
}: BarPlotOptions): TopLevelSpec {
  const shown = panels
    .map(panel => ({ panel, rows: rowsOf(series, panel, by) }))
    .filter(({ rows }) => rows.length > 0);
  const subjects = [...new Set(shown.flatMap(({ rows }) => rows.map(row => row.by)))];
  const colours = { domain: subjects, ...(coloursOf && { range: [...coloursOf(subjects)] }) };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: {
      text: title,
      subtitle: [...subtitle, 'bars: median; lines: slowest to fastest repeat'],
      offset: 12,
    },
    background: 'white',
    padding: 12,
    columns,
    spacing: 36,
    resolve: { scale: { x: 'independent', xOffset: 'independent' } },
    concat: shown.map(({ panel, rows }) =>
      panelOf(panel, rows, colours, measures[panel.measure]?.unit ?? ''),
    ),
  };
}

interface Row {
  readonly along: string | number;
  readonly by: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

function rowsOf(series: readonly Series[], panel: BarPanel, by: string): Row[] {
  const { measure, along, where = () => true } = panel;
  return series
    .filter(each => each.measure === measure && by in each.factors && where(each))
    .map(({ factors, values }) => ({
      along: factors[along ?? by] ?? '',
      by: String(factors[by]),
      ...spreadOf(values),
    }));
}

interface Colours {
  readonly domain: string[];
  readonly range?: string[];
}

function panelOf(panel: BarPanel, rows: readonly Row[], colours: Colours, unit: string) {
  const { title, along, alongTitle = along } = panel;
  const present = new Set(rows.map(row => row.by));
  const x = {
    field: 'along',
    type: 'ordinal' as const,
    sort: null,
    title: alongTitle ?? null,
    axis: { labelAngle: crowded(rows) ? -35 : 0, labelLimit: 0 },
  };
  const xOffset = { field: 'by', sort: colours.domain.filter(subject => present.has(subject)) };
  const y = { type: 'quantitative' as const, title: unit };
  return {
    title: { text: title, fontSize: 12, anchor: 'start' as const, frame: 'group' as const },
    width: 360,
    height: 220,
    data: { values: [...rows] },
    encoding: along === undefined ? { x } : { x, xOffset },
    layer: [
      {
        mark: { type: 'bar' as const },
        encoding: {
          y: { ...y, field: 'median' },
          color: {
            field: 'by',
            type: 'nominal' as const,
            scale: colours,
            title: null,
            legend: { orient: 'bottom' as const, columns: 2 },
          },
        },
      },
      {
        mark: { type: 'rule' as const, color: '#222', strokeWidth: 1.5 },
        encoding: { y: { ...y, field: 'min' }, y2: { field: 'max' } },
      },
    ],
  };
}

/** Names that would lie over each other. */
function crowded(rows: readonly Row[]): boolean {
  const names = new Set(rows.map(({ along }) => String(along)));
  return [...names].reduce((length, name) => length + name.length, 0) > 55;
}
