import type { CongestionParams } from './congestion-params.ts';
import { RoundTrip } from './round-trip.ts';

/** Cells that one SENDME adds to a window in limited slow start. spec: RFC 3742 */
export function slowStartStep(cells: number, sendmeCells: number, params: CongestionParams): number {
  const { slowStartCap, slowStartPercent } = params;
  if (cells <= slowStartCap) return Math.floor((slowStartPercent * sendmeCells + 50) / 100);
  return Math.max(Math.floor((sendmeCells * slowStartCap + cells) / (2 * cells)), 1);
}

/**
 * A congestion window by the round trip of SENDMEs, as TCP Vegas does: what is under way beyond the product of bandwidth and
 * least round trip must lie in queues. Few cells queued: the window grows; many: it shrinks. Whole cells and microseconds.
 * spec: proposal 324, 3.3
 */
export class Vegas {
  readonly #params: CongestionParams;
  readonly #sendmeCells: number;
  readonly #roundTrip = new RoundTrip();
  #cells: number;
  #slowStart = true;
  /** The window has been in full use: only then may it grow. */
  #full = false;
  /** The link to the next hop was behind at the last SENDME. */
  #blocked = false;
  /** SENDMEs until the window is judged again, and until a whole window has been answered. */
  #untilChange = 1;
  #untilWindow = 0;

  constructor(params: CongestionParams, sendmeCells: number) {
    this.#params = params;
    this.#sendmeCells = sendmeCells;
    this.#cells = Math.min(params.initialCells, params.mostCells);
  }

  /** The congestion window. */
  get cells(): number {
    return this.#cells;
  }

  get slowStart(): boolean {
    return this.#slowStart;
  }

  get full(): boolean {
    return this.#full;
  }

  get roundTrip(): { readonly averageUs: number; readonly leastUs: number } {
    return this.#roundTrip;
  }

  /**
   * A SENDME came.
   * @param sampleUs since the cell that it answers. @param inflight cells that were under way before it came.
   * @param blocked the link to the next hop is behind.
   */
  onSendme(sampleUs: number, inflight: number, blocked: boolean): void {
    if (this.#untilChange > 0) this.#untilChange -= 1;
    if (this.#untilWindow > 0) this.#untilWindow -= 1;
    const measured = this.#measure(sampleUs);
    if (this.#roundTrip.averageUs === 0) return;
    // A link that falls behind, or has caught up, is news that does not wait for its turn.
    if (blocked !== this.#blocked) this.#untilChange = 0;
    this.#blocked = blocked;
    if (!measured && !blocked) return;
    this.#judgeFullness(inflight);
    if (this.#slowStart) this.#changeInSlowStart();
    else if (this.#untilChange === 0) this.#change();
    this.#cells = Math.min(this.#cells, this.#params.mostCells);
    this.#countAgain();
  }

  #measure(sampleUs: number): boolean {
    const { averagePercent, averageMax, averageSlowStart, leastCells, resetPercent } = this.#params;
    const n = this.#slowStart
      ? averageSlowStart
      : Math.min(Math.floor((this.#sendmesPerChange * averagePercent) / 100), averageMax);
    // The window can fall no further: the least round trip that it was judged by is no longer true.
    const reset = !this.#slowStart && this.#cells === leastCells ? resetPercent : undefined;
    return this.#roundTrip.measure(sampleUs, Math.max(n, 2), !this.#slowStart, reset);
  }

  #judgeFullness(inflight: number): void {
    const { fullGap, fullPercent } = this.#params;
    if (inflight + fullGap * this.#sendmeCells >= this.#cells) this.#full = true;
    else if (100 * inflight < fullPercent * this.#cells) this.#full = false;
  }

  /** Bandwidth times least round trip: cells that are under way and in no queue. */
  get #product(): number {
    return Math.floor((this.#cells * this.#roundTrip.leastUs) / this.#roundTrip.averageUs);
  }

  #changeInSlowStart(): void {
    const { gamma, slowStartMax, stepCells, stepsPerWindow } = this.#params;
    const product = this.#product;
    if (this.#cells - product >= gamma || this.#blocked) {
      this.#cells = product + gamma;
      this.#slowStart = false;
    } else if (this.#full) {
      const step = slowStartStep(this.#cells, this.#sendmeCells, this.#params);
      this.#cells += step;
      // Slower than what follows it, slow start has no use.
      if (step * this.#sendmesPerWindow <= stepCells * stepsPerWindow) this.#slowStart = false;
    }
    if (this.#cells >= slowStartMax) {
      this.#cells = slowStartMax;
      this.#slowStart = false;
    }
  }

  #change(): void {
    const { alpha, beta, delta, stepCells, leastCells } = this.#params;
    const product = this.#product;
    const queued = this.#cells - product;
    if (queued > delta) this.#cells = product + delta - stepCells;
    else if (queued > beta || this.#blocked) this.#cells -= stepCells;
    else if (this.#full && queued < alpha) this.#cells += stepCells;
    this.#cells = Math.max(this.#cells, leastCells);
  }

  #countAgain(): void {
    if (this.#untilWindow === 0) this.#untilWindow = this.#sendmesPerWindow;
    if (this.#untilChange === 0) this.#untilChange = this.#sendmesPerChange;
    const forget = this.#params.fullPerWindow
      ? this.#untilWindow === this.#sendmesPerWindow
      : this.#untilChange === this.#sendmesPerChange;
    if (forget) this.#full = false;
  }

  get #sendmesPerWindow(): number {
    return Math.floor((this.#cells + Math.floor(this.#sendmeCells / 2)) / this.#sendmeCells);
  }

  get #sendmesPerChange(): number {
    if (this.#slowStart) return 1;
    const cells = this.#params.stepsPerWindow * this.#sendmeCells;
    return Math.floor((this.#cells + Math.floor(cells / 2)) / cells);
  }
}
