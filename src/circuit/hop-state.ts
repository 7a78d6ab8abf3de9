import { lingerExposureMs, streamWindowStep } from '../base/limits.ts';
import type { CircuitFlow } from '../flow/flow-control.ts';
import type { HopTarget } from './extend.ts';

/** Who pays one hop, as the circuit sees it. A hop without one is free of charge. */
export interface HopPayer {
  /** Cells that we may still cause at this hop. */
  readonly spendable: number;
  /** Of these, the cells that streams to an exit may use: never the free ones. */
  readonly spendableExit: number;
  /** So many cells passed the hop, in either direction; may send a REDEEM at once. */
  countCells(cells: number): void;
  /** How many cells the far ends may send without asking again: what must be prepaid at the least. */
  needs(cells: number): void;
  /** A RECEIPT body of this hop. False: the hop broke the rules of payment, the circuit ends. */
  onReceipt(body: Uint8Array): boolean;
  /** The circuit is gone. */
  ended(): void;
}

/** Cells of a stream that ended, which may still be on their way. */
interface Linger {
  readonly cells: number;
  readonly untilMs: number;
}

/**
 * One hop of a circuit at its client: its flow control, and how many cells the far ends of its streams may send without
 * asking.
 */
export class HopState {
  readonly target: HopTarget;
  payer: HopPayer | undefined;
  /** RELAY and RELAY_EARLY cells that have passed this hop, in either direction. */
  cells = 0;
  readonly flow: CircuitFlow;
  /** Digests of DATA cells whose SENDME is owed to the hop, oldest first. */
  readonly sendmesOwed: Uint8Array[] = [];
  /** Streams that DATA may come for. */
  openStreams = 0;
  /** Sum of the receive windows of its open streams. */
  #streamWindows = 0;
  /** In the order of their ends. */
  readonly #lingers: Linger[] = [];
  #lingerCells = 0;

  constructor(target: HopTarget, flow: CircuitFlow) {
    this.target = target;
    this.flow = flow;
  }

  /** DATA cells that may come from this hop, if its windows were wider by so many. */
  exposure(nowMs: number, moreForStreams = 0, moreForCircuit = 0): number {
    while (this.#lingers.length > 0 && this.#lingers[0].untilMs <= nowMs)
      this.#lingerCells -= this.#lingers.shift()?.cells ?? 0;
    const cells = this.#streamWindows + this.#lingerCells + moreForStreams;
    return Math.min(cells, this.flow.received.cells + moreForCircuit);
  }

  /** A stream was opened that so many DATA cells may come for. */
  addStream(cells: number): void {
    this.openStreams += 1;
    this.#streamWindows += cells;
  }

  /** @param lingersFromMs when we ended it, and the far side may not know yet. */
  removeStream(cells: number, lingersFromMs: number | undefined): void {
    this.openStreams -= 1;
    this.#streamWindows -= cells;
    if (lingersFromMs === undefined || cells === 0) return;
    this.#lingers.push({ cells, untilMs: lingersFromMs + lingerExposureMs });
    this.#lingerCells += cells;
  }

  /** DATA cells came for an open stream that so many were permitted for. */
  countStreamData(cells: number, permitted: number): void {
    if (this.flow.streamWindows) this.#streamWindows -= Math.min(cells, permitted);
  }

  /** A stream SENDME was sent. */
  countStreamPermit(): void {
    this.#streamWindows += streamWindowStep;
  }

  /** Cells passed this hop, in either direction. */
  countCells(cells: number): void {
    this.cells += cells;
    this.payer?.countCells(cells);
  }

  /** The payer is told of the cells that have passed already. */
  setPayer(payer: HopPayer): void {
    this.payer = payer;
    if (this.cells > 0) payer.countCells(this.cells);
  }

  /** The oldest SENDME that is owed; taking it gives the permission. */
  takeSendme(): Uint8Array | undefined {
    const digest = this.sendmesOwed.shift();
    if (digest !== undefined) this.flow.received.acknowledge();
    return digest;
  }
}
