import {
  autoWindowCellsMin,
  paymentReserveCells,
  paymentTripMsMax,
  topUpMarginCells,
} from '../base/limits.ts';

/** Cells that one payment buys: a number, or as many as pass in 10 s at the measured rate (paper 004, section 5). */
export type WindowChoice = number | 'auto';

const autoWindowMs = 10_000;
/** Shorter stretches say too little of the rate. */
const rateStretchMs = 200;
/** With more than this part of a window left, paying along with another hop would be one payment more. */
const alongPartMax = 0.75;

/**
 * When to pay and for how many cells. Keeps prepaid what the far ends may send without asking, and one bandwidth-delay
 * product, and buys a window on top of it whenever little more is left than passes until a payment arrives.
 */
export class TopUp {
  readonly #choice: WindowChoice;
  #needs = 0;
  #cellsPerMs = 0;
  #roundTripMs = 0;
  #stretchStartMs: number | undefined;
  #stretchCells = 0;

  constructor(choice: WindowChoice) {
    this.#choice = choice;
  }

  get windowCells(): number {
    if (this.#choice !== 'auto') return this.#choice;
    return Math.max(autoWindowCellsMin, Math.ceil(this.#cellsPerMs * autoWindowMs));
  }

  /** Never less than this is left, or the circuit stalls. */
  get keepCells(): number {
    return Math.max(this.#needs, this.#paymentTripCells) + paymentReserveCells;
  }

  /** What passes while a payment is under way. */
  get #paymentTripCells(): number {
    return Math.ceil(this.#cellsPerMs * this.#roundTripMs);
  }

  /**
   * A payment is due below this: early enough for it to arrive before `keepCells` are reached, though the rate doubles meanwhile.
   * Were it just enough for the rate there is, SENDMEs would wait a little for each payment, the far end would take that for a
   * queue, and never send faster than it does.
   */
  get lowCells(): number {
    const margin = Math.min(this.windowCells, topUpMarginCells);
    return this.keepCells + Math.max(margin, 2 * this.#paymentTripCells);
  }

  needs(cells: number): void {
    this.#needs = cells;
  }

  /** So many cells have passed in all by now. */
  measure(cells: number, nowMs: number): void {
    if (this.#stretchStartMs === undefined) {
      this.#stretchStartMs = nowMs;
      this.#stretchCells = cells;
      return;
    }
    const elapsed = nowMs - this.#stretchStartMs;
    if (elapsed < rateStretchMs) return;
    const rate = (cells - this.#stretchCells) / elapsed;
    this.#cellsPerMs = this.#cellsPerMs === 0 ? rate : (this.#cellsPerMs + rate) / 2;
    this.#stretchStartMs = nowMs;
    this.#stretchCells = cells;
  }

  /** A payment took so long from REDEEM to RECEIPT. */
  onRoundTrip(ms: number): void {
    this.#roundTripMs = Math.max(Math.min(ms, paymentTripMsMax), this.#roundTripMs * 0.9);
  }

  /** Cells to buy now with so many left; 0: none. A window each time, but for the first time and after a shortage. */
  due(spendable: number): number {
    const { lowCells, windowCells } = this;
    if (spendable >= lowCells) return 0;
    return spendable < this.keepCells ? lowCells + windowCells - spendable : windowCells;
  }

  /** Cells to buy, though none are due, because another hop is paid now: those that have passed since the last time. */
  dueAlong(spendable: number): number {
    const { lowCells, windowCells } = this;
    return spendable >= lowCells + windowCells * alongPartMax ? 0 : lowCells + windowCells - spendable;
  }
}
