/** One sample differs so much from the average only when a clock jumped or a machine slept. */
const discrepancyMax = 5_000;

/** N-count average: the sample weighs 2 / (n + 1), in whole numbers; the first sample is the average. */
export function movingAverage(sample: number, average: number, n: number): number {
  return average === 0 ? sample : Math.floor((2 * sample + (n - 1) * average) / (n + 1));
}

/** Tells round trips that were measured from those that a stopped or jumping clock made up. spec: proposal 324, 2.1.1 */
export class ClockDoubt {
  /** The clock stood still when it was last compared. */
  stalled = false;

  /** @param settled enough round trips make the average to compare with. True: the sample says nothing. */
  doubts(sampleUs: number, averageUs: number, settled: boolean): boolean {
    if (sampleUs <= 0) {
      this.stalled = true;
      return true;
    }
    if (!settled) return false;
    // A much shorter round trip is believed, unless the clock was seen to stand still.
    if (averageUs > sampleUs * discrepancyMax) return this.stalled;
    if (sampleUs > averageUs * discrepancyMax) return true;
    this.stalled = false;
    return false;
  }
}

/** The round trip of a circuit, from DATA cells and the SENDMEs that answer them; whole microseconds. spec: proposal 324, 2.1 */
export class RoundTrip {
  /** 0 until measured. */
  averageUs = 0;
  leastUs = 0;
  readonly #clock = new ClockDoubt();

  /**
   * @param n samples to average over. @param settled slow start is over. @param resetPercent how far the least is raised to
   * the average now; undefined: not at all. False: the sample says nothing.
   */
  measure(sampleUs: number, n: number, settled: boolean, resetPercent: number | undefined): boolean {
    if (this.#clock.doubts(sampleUs, this.averageUs, settled && this.averageUs > 0)) return false;
    this.averageUs = movingAverage(sampleUs, this.averageUs, n);
    // The least of averages, not of samples: one lucky cell proves little.
    if (this.leastUs === 0 || (resetPercent === undefined && this.averageUs < this.leastUs)) {
      this.leastUs = this.averageUs;
    } else if (resetPercent !== undefined) {
      const high = Math.max(this.averageUs, this.leastUs);
      const low = Math.min(this.averageUs, this.leastUs);
      this.leastUs = Math.floor((resetPercent * high) / 100) + Math.floor(((100 - resetPercent) * low) / 100);
    }
    return true;
  }
}
