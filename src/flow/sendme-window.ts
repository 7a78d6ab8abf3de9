import { assert } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import {
  circuitWindowCells,
  circuitWindowStep,
  streamWindowCells,
  streamWindowStep,
} from '../base/limits.ts';
import { Ring } from '../base/ring.ts';
import type {
  CircuitFlow,
  DeliverWindow,
  FlowFault,
  PackageWindow,
  StreamFlow,
  StreamReceiver,
  StreamSender,
} from './flow-control.ts';

const unexpected: FlowFault = { code: 'SENDME_UNEXPECTED' };
const wrongDigest: FlowFault = { code: 'SENDME_WRONG_DIGEST' };
const beyondWindow: FlowFault = { code: 'DATA_BEYOND_WINDOW' };

/**
 * Fixed windows of DATA cells. A sender may have so many cells under way; each SENDME allows a step more.
 * spec: tor-spec/flow-control
 */
export function fixedFlow(): CircuitFlow {
  return new FixedFlow();
}

/** A class, because a circuit keeps one: what all have in common costs none of them anything. */
class FixedFlow implements CircuitFlow {
  readonly sent = new CircuitPackageWindow();
  readonly received = new CircuitDeliverWindow();

  get streamWindows(): true {
    return true;
  }

  get streamCells(): number {
    return streamWindowCells;
  }

  stream(): StreamFlow {
    return { sender: new StreamPackageWindow(), receiver: new StreamDeliverWindow() };
  }
}

/** SENDMEs must carry the digests of the cells that they answer (version 1). */
export class CircuitPackageWindow implements PackageWindow {
  #cells = circuitWindowCells;
  #expected = new Ring<Uint8Array>(circuitWindowCells / circuitWindowStep);

  get open(): boolean {
    return this.#cells > 0;
  }

  get cells(): number {
    return this.#cells;
  }

  get cellsToMark(): number {
    return this.#cells % circuitWindowStep || circuitWindowStep;
  }

  package(): boolean {
    assert(this.#cells > 0, 'the circuit window is open');
    this.#cells -= 1;
    return this.#cells % circuitWindowStep === 0;
  }

  expectDigest(digest: Uint8Array): void {
    assert(this.#expected.push(digest), 'as many digests as steps of the window');
  }

  sendme(digest: Uint8Array): FlowFault | undefined {
    const expected = this.#expected.shift();
    if (expected === undefined) return unexpected;
    if (!equalBytes(expected, digest)) return wrongDigest;
    this.#cells += circuitWindowStep;
    assert(this.#cells <= circuitWindowCells, 'a window never grows beyond its start');
    return undefined;
  }
}

export class CircuitDeliverWindow implements DeliverWindow {
  readonly cellsMost = circuitWindowCells;
  readonly grantCells = circuitWindowStep;
  #cells = circuitWindowCells;

  get cells(): number {
    return this.#cells;
  }

  get cellsToMark(): number {
    return this.#cells % circuitWindowStep || circuitWindowStep;
  }

  deliver(cells: number): FlowFault | undefined {
    if (this.#cells < cells) return beyondWindow;
    this.#cells -= cells;
    return undefined;
  }

  get marked(): boolean {
    return this.#cells % circuitWindowStep === 0;
  }

  acknowledge(): void {
    this.#cells += circuitWindowStep;
    assert(this.#cells <= circuitWindowCells, 'a SENDME is owed');
  }
}

/** SENDMEs of streams are empty. XON and XOFF mean nothing here, and are passed over as C tor does. */
export class StreamPackageWindow implements StreamSender {
  #cells = streamWindowCells;

  get open(): boolean {
    return this.#cells > 0;
  }

  package(): void {
    assert(this.#cells > 0, 'the stream window is open');
    this.#cells -= 1;
  }

  onSendme(): FlowFault | undefined {
    if (this.#cells + streamWindowStep > streamWindowCells) return unexpected;
    this.#cells += streamWindowStep;
    return undefined;
  }

  onXoff(): undefined {}

  onXon(): undefined {}

  stop(): void {}
}

export class StreamDeliverWindow implements StreamReceiver {
  #cells = streamWindowCells;

  get cells(): number {
    return this.#cells;
  }

  deliver(cells: number): FlowFault | undefined {
    if (this.#cells < cells) return beyondWindow;
    this.#cells -= cells;
    return undefined;
  }

  drained(): void {}

  get due(): boolean {
    return this.#cells <= streamWindowCells - streamWindowStep;
  }

  acknowledge(): void {
    assert(this.due, 'a SENDME is owed');
    this.#cells += streamWindowStep;
  }

  signal(): undefined {}

  stop(): void {}
}
