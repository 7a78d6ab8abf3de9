import { assert } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import type { Fault } from '../base/fault.ts';
import {
  circuitWindowCells,
  circuitWindowStep,
  streamWindowCells,
  streamWindowStep,
} from '../base/limits.ts';
import { Ring } from '../base/ring.ts';

/**
 * Fixed windows of DATA cells. A sender may have so many cells under way; each SENDME allows a step more. Any breach
 * ends the circuit: a peer that acknowledges what it did not receive would make us fill its relays' memory.
 * spec: tor-spec/flow-control
 */
export type WindowFault = Fault<'SENDME_UNEXPECTED' | 'SENDME_WRONG_DIGEST' | 'DATA_BEYOND_WINDOW'>;

const unexpected: WindowFault = { code: 'SENDME_UNEXPECTED' };
const wrongDigest: WindowFault = { code: 'SENDME_WRONG_DIGEST' };
const beyondWindow: WindowFault = { code: 'DATA_BEYOND_WINDOW' };

/** The sending side of a circuit. SENDMEs must carry the digests of the cells that they answer (version 1). */
export class CircuitPackageWindow {
  #cells = circuitWindowCells;
  #expected = new Ring<Uint8Array>(circuitWindowCells / circuitWindowStep);

  /** True while a DATA cell may be sent. */
  get open(): boolean {
    return this.#cells > 0;
  }

  get cells(): number {
    return this.#cells;
  }

  /** Counts a DATA cell being sent. True: the peer will answer this one, so give its digest to expectDigest. */
  package(): boolean {
    assert(this.#cells > 0, 'the circuit window is open');
    this.#cells -= 1;
    return this.#cells % circuitWindowStep === 0;
  }

  /** @param digest 20 bytes, kept. */
  expectDigest(digest: Uint8Array): void {
    assert(this.#expected.push(digest), 'as many digests as steps of the window');
  }

  /** A SENDME came: early, superfluous and wrong ones are faults. */
  sendme(digest: Uint8Array): WindowFault | undefined {
    const expected = this.#expected.shift();
    if (expected === undefined) return unexpected;
    if (!equalBytes(expected, digest)) return wrongDigest;
    this.#cells += circuitWindowStep;
    assert(this.#cells <= circuitWindowCells, 'a window never grows beyond its start');
    return undefined;
  }
}

/** The sending side of a stream, whose SENDMEs are empty. */
export class StreamPackageWindow {
  #cells = streamWindowCells;

  get open(): boolean {
    return this.#cells > 0;
  }

  package(): void {
    assert(this.#cells > 0, 'the stream window is open');
    this.#cells -= 1;
  }

  sendme(): WindowFault | undefined {
    if (this.#cells + streamWindowStep > streamWindowCells) return unexpected;
    this.#cells += streamWindowStep;
    return undefined;
  }
}

/** The receiving side of a circuit or a stream. */
export class DeliverWindow {
  #cells: number;
  readonly #start: number;
  readonly #step: number;

  constructor(start: number, step: number) {
    this.#cells = start;
    this.#start = start;
    this.#step = step;
  }

  static circuit(): DeliverWindow {
    return new DeliverWindow(circuitWindowCells, circuitWindowStep);
  }

  static stream(): DeliverWindow {
    return new DeliverWindow(streamWindowCells, streamWindowStep);
  }

  /** Counts a DATA cell that came. */
  deliver(): WindowFault | undefined {
    if (this.#cells === 0) return beyondWindow;
    this.#cells -= 1;
    return undefined;
  }

  /** True when a SENDME is owed. A circuit pays at once, a stream when its bytes have been taken. */
  get due(): boolean {
    return this.#cells <= this.#start - this.#step;
  }

  /** A SENDME goes out. */
  acknowledge(): void {
    assert(this.due, 'a SENDME is owed');
    this.#cells += this.#step;
  }
}
