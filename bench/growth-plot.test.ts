import { expect, test } from 'vitest';
import { growthPlot, linesOf } from './growth-plot.ts';

const panel = { measure: 'boot', title: 'Boot', over: 'relays', by: 'layout' };
const series = ['each', 'all'].flatMap(layout =>
  [3, 6, 12].map(relays => ({
    measure: 'boot',
    factors: { relays, layout },
    values: layout === 'each' ? [relays, relays] : [5, 5],
  })),
);

test('each line has the growth of its own values', () => {
  const lines = linesOf(series, panel);
  expect(lines.map(({ name }) => name)).toEqual(['each', 'all']);
  expect(lines[0].growth?.exponent.value).toBeCloseTo(1);
  expect(lines[1].growth?.exponent.value).toBeCloseTo(0);
});

test('the plot shows the points, and the fitted line with its exponent', () => {
  const plot = growthPlot({
    title: 'Cost',
    subtitle: [],
    measures: { boot: { unit: 's' } },
    series,
    panels: [panel, { ...panel, measure: 'never measured' }],
  });
  const panels = 'concat' in plot ? plot.concat : [];
  expect(panels).toHaveLength(1);
  const { data, layer } = panels[0] as unknown as {
    data: { values: { line: string; size: number; median: number }[] };
    layer: { data?: { values: { size: number; median: number }[] } }[];
  };
  expect(data.values).toHaveLength(6);
  expect(data.values[1]).toMatchObject({ line: 'each: relays^1.00', size: 6, median: 6 });
  const fitted = layer.flatMap(each => each.data?.values ?? []);
  expect(fitted[2].median).toBeCloseTo(12);
});
