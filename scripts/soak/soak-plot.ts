import type { TopLevelSpec } from 'vega-lite';
import type { WatchedNode } from './node-watch.ts';
import { soakGoals } from './verdict.ts';

const pointsMax = 400;

/** Memory of each node over time, and below it how late its event loop was at the worst of each moment. */
export function soakPlot(nodes: readonly WatchedNode[], subtitle: string): TopLevelSpec {
  const x = { field: 'minutes', type: 'quantitative' as const, title: 'minutes', axis: { grid: false } };
  const color = {
    field: 'node',
    type: 'nominal' as const,
    title: null,
    scale: { scheme: 'tableau20' as const, domain: nodes.map(({ name }) => name) },
  };
  const detail = { field: 'life', type: 'nominal' as const };
  const size = { width: 720, height: 260 };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: 'naulon soak', subtitle, offset: 12 },
    background: 'white',
    padding: 12,
    spacing: 28,
    data: { values: pointsOf(nodes) },
    vconcat: [
      {
        ...size,
        title: { text: 'resident memory', fontSize: 12, anchor: 'start' as const },
        mark: { type: 'line' as const, strokeWidth: 1.5 },
        encoding: {
          x,
          y: { field: 'rss', type: 'quantitative' as const, title: 'MB', scale: { zero: true } },
          color,
          detail,
        },
      },
      {
        ...size,
        title: { text: 'longest delay of the event loop', fontSize: 12, anchor: 'start' as const },
        layer: [
          {
            transform: [{ filter: 'datum.delay > 0.1' }],
            mark: { type: 'point' as const, filled: true, size: 14, opacity: 0.6 },
            encoding: {
              x,
              y: {
                field: 'delay',
                type: 'quantitative' as const,
                title: 'ms',
                scale: { type: 'log' as const },
                axis: { values: [0.1, 1, 10, 100, 1_000, 10_000] },
              },
              color,
            },
          },
          goalLine(soakGoals.delayMaxMs, `goal: never more than ${soakGoals.delayMaxMs} ms`),
        ],
      },
    ],
  };
}

/** What is drawn of each node: of so many points, the worst of each stretch of time. */
function pointsOf(nodes: readonly WatchedNode[]) {
  const firstMs = Math.min(...nodes.flatMap(({ samples }) => samples.slice(0, 1).map(({ atMs }) => atMs)));
  return nodes.flatMap(({ name, samples }) => {
    const each = Math.max(1, Math.ceil(samples.length / pointsMax));
    return Array.from({ length: Math.ceil(samples.length / each) }, (_, at) => {
      const some = samples.slice(at * each, (at + 1) * each);
      return {
        node: name,
        // A line for each life: between two of them the node was not there.
        life: `${name}/${some[0].pid}`,
        minutes: (some[0].atMs - firstMs) / 60_000,
        rss: Math.max(...some.map(({ rssBytes }) => rssBytes)) / 1e6,
        delay: Math.max(...some.map(({ delayMaxMs }) => delayMaxMs)),
      };
    });
  });
}

function goalLine(ms: number, text: string) {
  const y = { field: 'ms', type: 'quantitative' as const };
  return {
    data: { values: [{ ms, text }] },
    layer: [
      { mark: { type: 'rule' as const, strokeDash: [5, 4], color: '#444' }, encoding: { y } },
      {
        mark: { type: 'text' as const, align: 'right' as const, x: 714, dy: -6, color: '#444' },
        encoding: { y, text: { field: 'text' } },
      },
    ],
  };
}
