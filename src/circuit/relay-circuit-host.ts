import type { Fault } from '../base/fault.ts';
import type { BeginMessage, Extend2Message } from '../cell/relay-messages.ts';
import type { QueuedCells } from '../link/link-mux.ts';
import type { Entropy, LinkId, Observer } from '../ports.ts';
import type { DirectoryService } from '../stream/directory-stream.ts';
import type { ExitStream, ExitStreamOutside } from '../stream/exit-stream.ts';

/** One side of a circuit at a relay: a circuit id on a link. */
export interface CircuitSide {
  readonly link: LinkId;
  readonly id: number;
}

/** The cells that a circuit may still cause here. Debits are all or nothing; false means that the circuit must end. */
export interface CircuitBalance {
  debit(cells: number): boolean;
  /** From paid cells alone. */
  debitExit(cells: number): boolean;
  /** True once exits may be used: a payment was credited, or this relay is free. */
  readonly paid: boolean;
}

/** The payee's end of one circuit. */
export interface CircuitPayee {
  /** The body of a REDEEM cell. A fault ends the circuit. */
  onRedeem(body: Uint8Array): Fault | undefined;
  ended(): void;
}

/** What a circuit, a RelayCircuit, asks of its relay. */
export interface RelayCircuitHost<Circuit> extends ExitStreamOutside {
  readonly entropy: Entropy;
  readonly observer: Observer;
  /** Queues a fixed cell, copying 509 bytes. False: the circuit's queue is at its cap. */
  send(side: CircuitSide, command: number, bytes: Uint8Array, at: number): boolean;
  /** The same for RELAY cells whose payloads lie `stride` bytes apart. */
  sendRun(side: CircuitSide, bytes: Uint8Array, at: number, stride: number, count: number): boolean;
  /** True while the circuit's queue on that link is short enough to add what can wait. */
  canQueue(side: CircuitSide): boolean;
  /** Finds or opens the link, sends CREATE2, later calls extended or extendFailed. */
  extend(circuit: Circuit, message: Extend2Message): void;
  /** The circuit no longer wants the extension or its next side; with a reason, the next hop is to be told. */
  dropNext(
    circuit: Circuit,
    next: CircuitSide | undefined,
    reason: number | undefined,
    queued: QueuedCells,
  ): void;
  beginExit(circuit: Circuit, stream: ExitStream, message: BeginMessage): void;
  /** Later calls onResolved. */
  resolve(circuit: Circuit, streamId: number, name: string): void;
  /** Undefined: this relay serves no directory, or not to this client now. */
  directory(circuit: Circuit): DirectoryService | undefined;
  /** The circuit is gone from this relay; with a reason, the previous hop is to be told. */
  gone(circuit: Circuit, reason: number | undefined, queued: QueuedCells): void;
}
