/** Spread of repeated measurements of one quantity. */
export interface Spread {
  readonly repeats: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** @param values at least one. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { repeats: sorted.length, min: sorted[0], median, max: sorted[sorted.length - 1] };
}
