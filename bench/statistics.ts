/** Spread of repeated measurements of one quantity. */
export interface Spread {
  readonly repeats: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** A value and the bounds that it lies between, with 95 % confidence. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** @param values at least one. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { repeats: sorted.length, min: sorted[0], median: medianOf(sorted), max: sorted[sorted.length - 1] };
}

/** Where a share of all values lies at or below. @param values at least one. @param share from 0 to 1. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

/** The median, and what it may be by the bootstrap: medians of values drawn again from those measured. */
export function estimateOf(values: readonly number[]): Estimate {
  return bootstrap(spreadOf(values).median, draw => resampledMedian(values, draw));
}

/**
 * The median of `values` as a multiple of the median of `base`, by the bootstrap on both. The two need not be of equal
 * length. With three repeats of each, the bounds lie outside 1 just when the ranges do not overlap.
 */
export function ratioOf(values: readonly number[], base: readonly number[]): Estimate {
  return bootstrap(
    spreadOf(values).median / spreadOf(base).median,
    draw => resampledMedian(values, draw) / resampledMedian(base, draw),
  );
}

/** A whole number from 0 to less than `below`, at random. */
export type Draw = (below: number) => number;

const resamples = 2_000;

/** @param resample what the value would be, had other values been drawn from those measured. */
export function bootstrap(value: number, resample: (draw: Draw) => number): Estimate {
  const draw = drawer();
  const drawn = Array.from({ length: resamples }, () => resample(draw));
  return { value, low: quantileOf(drawn, 0.025), high: quantileOf(drawn, 0.975) };
}

/** As many values, drawn again. */
export function resampled(values: readonly number[], draw: Draw): number[] {
  return values.map(() => values[draw(values.length)]);
}

function resampledMedian(values: readonly number[], draw: Draw): number {
  return medianOf(resampled(values, draw).sort((a, b) => a - b));
}

function medianOf(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Numbers that look random and are the same each time, so that one file of results has one set of bounds (mulberry32). */
function drawer(): Draw {
  let state = 0x6e61756c;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
