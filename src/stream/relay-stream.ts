import type { Fault } from '../base/fault.ts';
import type { CircuitFlow, FlowFault } from '../flow/flow-control.ts';
import type { DataSender } from './package-data.ts';

/** What a stream at a relay asks of its circuit. All of it is harmless once the circuit is gone. */
export interface RelayStreamCircuit extends DataSender<RelayStream> {
  readonly flow: CircuitFlow;
  sendControl(stream: RelayStream, command: number, body: Uint8Array): void;
  /** The stream has more to send than the circuit takes now; its `pump` will be called. */
  wait(stream: RelayStream): void;
  /** As `wait`, from outside of any cell: its `pump` may be called at once. */
  wake(stream: RelayStream): void;
  /** The stream is over at our side. @param half the client does not know yet and may still send on it. */
  release(stream: RelayStream, half: boolean): void;
}

/** One stream as its circuit sees it. */
export interface RelayStream {
  readonly id: number;
  /** Streams to an exit are served from paid cells alone, directory streams for nothing. */
  readonly kind: 'exit' | 'directory';
  /** @param body of one DATA cell, or of several full ones; a view, valid during the call. A fault ends the circuit. */
  onData(body: Uint8Array, cells: number): FlowFault | undefined;
  /** SENDME, XOFF or XON. */
  onFlow(command: number, body: Uint8Array): Fault | undefined;
  /** The client ended the stream; it has been released. */
  onEnd(): void;
  /** Sends at most `cells` cells of what waits. True: there is more that may go. */
  pump(cells: number): boolean;
  /** The circuit is gone. */
  abandon(): void;
}
