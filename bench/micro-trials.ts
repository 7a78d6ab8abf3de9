import type { Measure, Trial } from './trials.ts';

/** Time of one operation, in a measure of that name. */
export const timeMeasure: Readonly<Record<string, Measure>> = { time: { unit: 'us', better: 'less' } };

/** One operation, done many times in a row so that the clock's own cost is lost in it. */
export interface Operation {
  readonly operation: string;
  /** `raw`: the primitive by itself; else what we make of it. */
  readonly subject: string;
  /** What `run` does at once. */
  readonly batch: number;
  /** Got ready anew each time, and not timed. */
  prepare?(): void;
  run(): void;
}

/** Microseconds for one of a batch, whose batches last `ms` together. */
export function operationTrial({ operation, subject, batch, prepare, run }: Operation, ms: number): Trial {
  return {
    name: `${operation}, ${subject}`,
    factors: { operation, subject },
    async run() {
      let spent = 0;
      let batches = 0;
      while (spent < ms) {
        prepare?.();
        const started = performance.now();
        run();
        spent += performance.now() - started;
        batches += 1;
      }
      // Progress and signals get their turn between two measurements.
      await new Promise(setImmediate);
      return { time: (spent * 1_000) / (batches * batch) };
    },
  };
}
