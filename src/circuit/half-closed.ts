import { streamsPerCircuitMax } from '../base/limits.ts';
import { relayCommand } from '../cell/commands.ts';
import type { CircuitFlow, FlowFault } from '../flow/flow-control.ts';
import type { RelayStream } from '../stream/relay-stream.ts';

interface HalfClosed {
  readonly kind: RelayStream['kind'];
  cellsLeft: number;
  sendmesLeft: number;
}

/** SENDMEs that answer a full window of DATA. */
const sendmesMax = 10;

/**
 * Streams that a relay ended and of whose end the client may not know yet. What it sent before it knew is dropped; what
 * no window allows is a fault. The oldest are forgotten beyond the number of streams that a circuit may have.
 */
export class HalfClosedStreams {
  /** Made with the first stream. */
  #streams: Map<number, HalfClosed> | undefined;
  readonly #flow: CircuitFlow;

  constructor(flow: CircuitFlow) {
    this.#flow = flow;
  }

  add(stream: RelayStream): void {
    this.#streams ??= new Map();
    this.#streams.delete(stream.id);
    this.#streams.set(stream.id, {
      kind: stream.kind,
      cellsLeft: this.#flow.streamCells,
      sendmesLeft: sendmesMax,
    });
    if (this.#streams.size <= streamsPerCircuitMax) return;
    const [oldest] = this.#streams.keys();
    this.#streams.delete(oldest);
  }

  /** The client uses the id for a new stream. */
  forget(id: number): void {
    this.#streams?.delete(id);
  }

  kindOf(id: number): RelayStream['kind'] | undefined {
    return this.#streams?.get(id)?.kind;
  }

  /** A cell for a stream that is not open. */
  onCell(id: number, command: number): FlowFault | undefined {
    const stream = this.#streams?.get(id);
    if (stream === undefined) return undefined;
    if (command === relayCommand.data && --stream.cellsLeft < 0) return { code: 'DATA_BEYOND_WINDOW' };
    if (command === relayCommand.sendme && --stream.sendmesLeft < 0) return { code: 'SENDME_UNEXPECTED' };
    if (command === relayCommand.end) this.forget(id);
    return undefined;
  }
}
