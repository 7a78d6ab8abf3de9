import type { Estimate } from '../../bench/statistics.ts';

export interface Point {
  readonly atMs: number;
  readonly rssBytes: number;
}

/** Nodes grow in the beginning, to what they need; this share of a run says nothing about leaks. */
const warmUpShare = 0.25;
const windowsMax = 20;
const windowsLeast = 4;
const msPerHour = 3_600_000;

/**
 * How fast resident memory grows, in MB an hour, with 95 % confidence; undefined: too few points to say. What a window of
 * time has at the least counts: what garbage adds above it comes and goes.
 */
export function slopeOf(points: readonly Point[]): Estimate | undefined {
  const floors = floorsOf(points.slice(Math.floor(points.length * warmUpShare)));
  if (floors.length < windowsLeast) return undefined;
  const mean = (of: (point: Point) => number) =>
    floors.reduce((sum, each) => sum + of(each), 0) / floors.length;
  const [atMean, rssMean] = [mean(({ atMs }) => atMs), mean(({ rssBytes }) => rssBytes)];
  const squares = floors.reduce((sum, { atMs }) => sum + (atMs - atMean) ** 2, 0);
  const value = floors.reduce((s, p) => s + (p.atMs - atMean) * (p.rssBytes - rssMean), 0) / squares;
  const left = floors.reduce((s, p) => s + (p.rssBytes - rssMean - value * (p.atMs - atMean)) ** 2, 0);
  const error = Math.sqrt(left / (floors.length - 2) / squares) * studentOf(floors.length - 2);
  const perHour = (bytesPerMs: number) => (bytesPerMs * msPerHour) / 1e6;
  return { value: perHour(value), low: perHour(value - error), high: perHour(value + error) };
}

function floorsOf(points: readonly Point[]): Point[] {
  const size = Math.max(1, Math.ceil(points.length / windowsMax));
  return Array.from({ length: Math.floor(points.length / size) }, (_, at) =>
    points
      .slice(at * size, (at + 1) * size)
      .reduce((least, each) => (each.rssBytes < least.rssBytes ? each : least)),
  );
}

/** Two-sided 97.5 % quantiles of Student's t for so many degrees of freedom. Source: tables of the distribution. */
const student = [
  12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.1,
];

function studentOf(freedom: number): number {
  return student[Math.min(freedom, student.length) - 1];
}
