import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Estimate } from '../../bench/statistics.ts';
import { type NodeSample, samplesFile } from './node-samples.ts';
import { slopeOf } from './slope.ts';

/** What was seen of one node, over all of its lives. */
export interface WatchedNode {
  readonly name: string;
  readonly samples: readonly NodeSample[];
  /** Of its longest life: a new process begins small again. */
  readonly slope: Estimate | undefined;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  readonly rssBytesMax: number;
}

/** All nodes of a network's folder that were under watch. */
export function watchedNodes(dir: string): WatchedNode[] {
  return readdirSync(dir)
    .filter(name => existsSync(samplesFile(join(dir, name))))
    .sort()
    .map(name => watchedNode(name, samplesIn(samplesFile(join(dir, name)))));
}

function watchedNode(name: string, samples: readonly NodeSample[]): WatchedNode {
  const pids = [...new Set(samples.map(({ pid }) => pid))];
  const lives = pids.map(pid => samples.filter(each => each.pid === pid));
  const longest = lives.reduce((long, life) => (life.length > long.length ? life : long), []);
  const most = (of: (sample: NodeSample) => number) => Math.max(0, ...samples.map(of));
  return {
    name,
    samples,
    slope: slopeOf(longest),
    // The last sample of a life speaks for all of it.
    delayP99Ms: Math.max(0, ...lives.map(life => life[life.length - 1].delayP99Ms)),
    delayMaxMs: most(({ delayMaxMs }) => delayMaxMs),
    rssBytesMax: most(({ rssBytes }) => rssBytes),
  };
}

/** The last line may be half written by a node that was killed. */
function samplesIn(file: string): NodeSample[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.flatMap(line => {
    try {
      return [JSON.parse(line) as NodeSample];
    } catch {
      return [];
    }
  });
}
