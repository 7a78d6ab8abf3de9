import { assert } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import { congestionCellsMax } from '../base/limits.ts';
import { Ring } from '../base/ring.ts';
import type { Clock } from '../ports.ts';
import type { CongestionParams } from './congestion-params.ts';
import type { DeliverWindow, FlowFault, PackageWindow } from './flow-control.ts';
import { slowStartStep, Vegas } from './vegas.ts';

/** A cell whose SENDME is awaited. */
interface Awaited {
  readonly digest: Uint8Array;
  readonly sentUs: number;
}

export interface CongestionWindowOptions {
  readonly params: CongestionParams;
  /** DATA cells that a SENDME answers, as agreed with the far end. */
  readonly sendmeCells: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** True while the link to the next hop is behind. */
  readonly blocked: () => boolean;
}

/**
 * The sending side of a circuit whose window follows the round trip. SENDMEs must carry the digests of the cells that they
 * answer, as with fixed windows; the same cells are those whose round trip is measured, so other cells cost a count.
 * spec: proposal 324, 2.2
 */
export class CongestionWindow implements PackageWindow {
  readonly #options: CongestionWindowOptions;
  readonly #vegas: Vegas;
  readonly #awaited: Ring<Awaited>;
  #inflight = 0;

  constructor(options: CongestionWindowOptions) {
    this.#options = options;
    const { params, sendmeCells } = options;
    this.#vegas = new Vegas(params, sendmeCells);
    this.#awaited = new Ring(Math.ceil(params.mostCells / sendmeCells));
  }

  /** Cells sent and not answered. */
  get inflight(): number {
    return this.#inflight;
  }

  /** The congestion window itself; what is under way may be more when it has shrunk. */
  get size(): number {
    return this.#vegas.cells;
  }

  get open(): boolean {
    return this.#inflight < this.#vegas.cells;
  }

  get cells(): number {
    return Math.max(this.#vegas.cells - this.#inflight, 0);
  }

  get cellsToMark(): number {
    const { sendmeCells } = this.#options;
    return sendmeCells - (this.#inflight % sendmeCells);
  }

  package(): boolean {
    assert(this.open, 'the congestion window is open');
    this.#inflight += 1;
    return this.#inflight % this.#options.sendmeCells === 0;
  }

  expectDigest(digest: Uint8Array): void {
    const kept = this.#awaited.push({ digest, sentUs: this.#nowUs() });
    assert(kept, 'as many digests as steps of the widest window');
  }

  sendme(digest: Uint8Array): FlowFault | undefined {
    const awaited = this.#awaited.shift();
    if (awaited === undefined) return { code: 'SENDME_UNEXPECTED' };
    if (!equalBytes(awaited.digest, digest)) return { code: 'SENDME_WRONG_DIGEST' };
    const { sendmeCells, blocked } = this.#options;
    this.#vegas.onSendme(this.#nowUs() - awaited.sentUs, this.#inflight, blocked());
    this.#inflight -= sendmeCells;
    assert(this.#inflight >= 0, 'no more is answered than was sent');
    return undefined;
  }

  #nowUs(): number {
    return Math.floor(this.#options.clock.monotonicMs() * 1_000);
  }
}

/**
 * The widest window that a far end may have made of so many SENDMEs, with the same parameters: what it may send without
 * another SENDME. It never narrows, since nothing tells when the far end's does.
 */
export class CongestionCeiling {
  readonly #params: CongestionParams;
  readonly #sendmeCells: number;
  /** As wide as slow start makes it … */
  #cells: number;

  constructor(params: CongestionParams, sendmeCells: number) {
    this.#params = params;
    this.#sendmeCells = sendmeCells;
    this.#cells = params.initialCells;
  }

  /** … and what leaving slow start because of a blocked link may add. */
  get cells(): number {
    return Math.min(this.#cells + this.#params.gamma, this.#params.mostCells);
  }

  /** By how much a SENDME raises it: little, once slow start must be over. */
  get rise(): number {
    const { slowStartMax } = this.#params;
    const step = slowStartStep(this.#cells, this.#sendmeCells, this.#params);
    return Math.max(0, Math.min(step, slowStartMax - this.#cells));
  }

  onSendme(): void {
    this.#cells += this.rise;
  }
}

/** The receiving side of such a circuit. */
export class CongestionDeliver implements DeliverWindow {
  readonly #sendmeCells: number;
  readonly #ceiling: CongestionCeiling;
  #received = 0;
  #answered = 0;

  constructor(params: CongestionParams, sendmeCells: number) {
    this.#sendmeCells = sendmeCells;
    this.#ceiling = new CongestionCeiling(params, sendmeCells);
  }

  get cells(): number {
    return Math.max(this.cellsMost - (this.#received - this.#answered), 0);
  }

  get cellsMost(): number {
    return this.#ceiling.cells;
  }

  get grantCells(): number {
    return this.#sendmeCells + this.#ceiling.rise;
  }

  get cellsToMark(): number {
    return this.#sendmeCells - (this.#received % this.#sendmeCells);
  }

  deliver(cells: number): FlowFault | undefined {
    // How wide the far end's window is, only it knows.
    if (this.#received - this.#answered + cells > congestionCellsMax) return { code: 'DATA_BEYOND_WINDOW' };
    this.#received += cells;
    return undefined;
  }

  get marked(): boolean {
    return this.#received % this.#sendmeCells === 0;
  }

  acknowledge(): void {
    this.#answered += this.#sendmeCells;
    assert(this.#answered <= this.#received, 'a SENDME is owed');
    this.#ceiling.onSendme();
  }
}
