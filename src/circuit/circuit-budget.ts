import { paymentReserveCells, streamWindowStep } from '../base/limits.ts';
import type { Clock } from '../ports.ts';
import type { HopState } from './hop-state.ts';

/** A permission that a SENDME would give to the hop it goes to. */
export type Grant = 'circuit' | 'stream';

/**
 * What the hops of one circuit have been paid for, against what its cells and permissions would cost. A hop that has no
 * payer costs nothing. Cells for a hop pass, and cost at, every hop before it.
 */
export class CircuitBudget {
  readonly #hops: readonly HopState[];
  readonly #clock: Clock;

  constructor(hops: readonly HopState[], clock: Clock) {
    this.#hops = hops;
    this.#clock = clock;
  }

  /** True when every hop on the way, and `hop` itself, still takes a cell. */
  passes(hop: number): boolean {
    return this.#least(hop, payer => payer.spendable) >= 1;
  }

  /** True when a single cell for `hop` is paid for. */
  affordsCell(hop: number): boolean {
    return this.#least(hop, payer => payer.spendable - paymentReserveCells) >= 1;
  }

  /** True when a cell to `hop` is paid for, and all that far ends are permitted to send too. */
  affordsPermitted(hop: number, exit: boolean): boolean {
    return this.dataRoom(hop, exit) >= 1;
  }

  /** True when a SENDME to `hop`, and the cells that it permits, are paid for. */
  affordsGrant(hop: number, exit: boolean, grant: Grant): boolean {
    const state = this.#hops[hop];
    const now = this.#clock.monotonicMs();
    const permitted =
      state.exposure(
        now,
        grant === 'stream' ? streamWindowStep : 0,
        grant === 'circuit' ? state.flow.received.grantCells : 0,
      ) - state.exposure(now);
    return this.dataRoom(hop, exit) >= 1 + permitted;
  }

  /** DATA cells for `hop` that are paid for beside all that far ends are permitted to send. */
  dataRoom(hop: number, exit: boolean): number {
    const now = this.#clock.monotonicMs();
    let behind = 0;
    for (let i = this.#hops.length - 1; i > hop; i--) behind += this.#hops[i].exposure(now);
    let room = Number.POSITIVE_INFINITY;
    for (let i = hop; i >= 0; i--) {
      const exposure = this.#hops[i].exposure(now);
      behind += exposure;
      const payer = this.#hops[i].payer;
      if (payer === undefined) continue;
      room = Math.min(room, payer.spendable - behind - paymentReserveCells);
      if (exit && i === hop) room = Math.min(room, payer.spendableExit - exposure);
    }
    return room;
  }

  /**
   * Streams were opened or closed, or a hop may send more than before: tells each payer what it must keep prepaid so
   * that nothing stalls. A circuit is always good for one stream to its end, so that the first does not wait for a payment
   * of its own.
   */
  exposureChanged(): void {
    const now = this.#clock.monotonicMs();
    const last = this.#hops.length - 1;
    let cells = 2 * paymentReserveCells;
    for (let i = last; i >= 0; i--) {
      const { payer, flow } = this.#hops[i];
      const openStreams = Math.max(this.#hops[i].openStreams, i === last ? 1 : 0);
      const permitted = Math.min(openStreams * flow.streamCells, flow.received.cellsMost);
      const grant = openStreams > 0 ? flow.received.grantCells : 0;
      cells += Math.max(permitted, this.#hops[i].exposure(now)) + grant;
      payer?.needs(cells);
    }
  }

  #least(hop: number, cells: (payer: NonNullable<HopState['payer']>) => number): number {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i <= hop; i++) {
      const payer = this.#hops[i].payer;
      if (payer !== undefined) least = Math.min(least, cells(payer));
    }
    return least;
  }
}
