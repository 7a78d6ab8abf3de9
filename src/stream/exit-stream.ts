import { concatBytes, restOf } from '../base/bytes.ts';
import type { Fault } from '../base/fault.ts';
import { streamBufferBytesMax } from '../base/limits.ts';
import { endReason, relayCommand } from '../cell/commands.ts';
import { encodeConnected, encodeEnd } from '../cell/relay-messages.ts';
import type { FlowFault, StreamFlow } from '../flow/flow-control.ts';
import type { CloseReason, StreamId, StreamPort } from '../ports.ts';
import { onFlowCell, signalCell } from './flow-cells.ts';
import { newPlace } from './held-place.ts';
import { packageData } from './package-data.ts';
import type { RelayStream, RelayStreamCircuit } from './relay-stream.ts';

/** Who owns the connections of exit streams. */
export interface ExitStreamOutside {
  readonly port: StreamPort;
  /** The stream needs its connection, or the wait for one, no more. @param flush what was written is still to arrive. */
  finished(stream: ExitStream, flush: boolean): void;
  /** So many bytes of the destination wait for the circuit now. Later the stream may be ended for it. */
  holds(stream: ExitStream, bytes: number): void;
}

type State = 'opening' | 'open' | 'closed';

const nothing = new Uint8Array(0);

/**
 * A stream at its exit: DATA cells on one side, a TCP connection on the other.
 *
 * Towards the destination, bytes go out at once. While the connection is full SENDMEs are held back, so at most a stream
 * window waits; where streams have no window, XOFF stops the client. Towards the client, the connection is paused while the
 * circuit's or the stream's window is closed, so TCP stops the destination; what one read was too much waits here.
 *
 * | cell   | opening | open |
 * |--------|---------|------|
 * | DATA   | kept until the connection is up | written |
 * | SENDME | 50 more DATA cells | the same |
 * | XOFF, XON | no more DATA, DATA again | the same |
 * | END    | the wait for a connection ends | what was written is sent, then the connection ends |
 *
 * spec: tor-spec/opening-streams, tor-spec/closing-streams
 */
export class ExitStream implements RelayStream {
  readonly id: number;
  readonly kind = 'exit';
  readonly place = newPlace();
  /** Set by the owner of connections once there is one. */
  connection: StreamId | undefined;
  #circuit: RelayStreamCircuit;
  #outside: ExitStreamOutside;
  #state: State = 'opening';
  #flow: StreamFlow;
  /** From the client, before there was a connection. At most a stream window. */
  #early: Uint8Array[] = [];
  /** To the client, not yet packaged. */
  #waiting: Uint8Array = nothing;
  #paused = false;
  #full = false;
  #remoteEnded = false;

  constructor(id: number, circuit: RelayStreamCircuit, outside: ExitStreamOutside) {
    this.id = id;
    this.#circuit = circuit;
    this.#outside = outside;
    this.#flow = circuit.flow.stream(() => circuit.wake(this));
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** The connection is up. @param address what it goes to, IP text. */
  onConnected(address: string, ttlSeconds: number): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.#circuit.sendControl(this, relayCommand.connected, encodeConnected({ address, ttlSeconds }));
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.#write(bytes);
    if (!this.#full) this.#flow.receiver.drained();
    this.#permit();
  }

  /** There will be no connection, or it is over: the client is told why. */
  end(reason: number, address?: string): void {
    if (this.#state === 'closed') return;
    this.#close();
    this.#circuit.sendControl(this, relayCommand.end, encodeEnd({ reason, address, ttlSeconds: 0 }));
    this.#circuit.release(this, true);
    this.#outside.finished(this, reason === endReason.done);
  }

  onData(body: Uint8Array, cells: number): FlowFault | undefined {
    const fault = this.#flow.receiver.deliver(cells, body.length, this.#full || this.#state === 'opening');
    if (fault !== undefined) return fault;
    if (this.#state === 'opening') {
      this.#early.push(body.slice());
    } else if (this.#state === 'open') {
      this.#write(body);
      this.#permit();
    }
    return undefined;
  }

  onFlow(command: number, body: Uint8Array): Fault | undefined {
    const fault = onFlowCell(this.#flow.sender, command, body);
    if (fault === undefined && this.#waiting.length > 0) this.#circuit.wait(this);
    return fault;
  }

  onEnd(): void {
    if (this.#state === 'closed') return;
    this.#close();
    this.#outside.finished(this, true);
  }

  abandon(): void {
    if (this.#state === 'closed') return;
    this.#close();
    this.#outside.finished(this, false);
  }

  /** Bytes of the destination. */
  onBytes(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    if (this.#waiting.length > 0) {
      // A read that was under way when the connection was paused.
      if (this.#waiting.length + bytes.length > streamBufferBytesMax) this.end(endReason.resourceLimit);
      else this.#hold(concatBytes(this.#waiting, bytes));
      return;
    }
    const sent = this.#send(bytes, Number.POSITIVE_INFINITY);
    if (sent === bytes.length || this.closed) return;
    this.#pause();
    this.#hold(bytes.slice(sent));
    if (this.#state === 'open' && this.#flow.sender.open) this.#circuit.wait(this);
  }

  /** The connection takes bytes again. */
  onWritable(): void {
    this.#full = false;
    if (this.#state === 'open') this.#flow.receiver.drained();
    this.#permit();
  }

  /** The destination sends no more. The stream ends once the client has been sent everything. */
  onRemoteEnd(): void {
    this.#remoteEnded = true;
    if (this.#waiting.length === 0) this.end(endReason.done);
  }

  onRemoteClosed(why: CloseReason): void {
    this.connection = undefined;
    if (why === 'done' && this.#waiting.length > 0) {
      this.#remoteEnded = true;
      return;
    }
    this.end(endOfClose(why));
  }

  pump(cells: number): boolean {
    if (this.#state !== 'open') return false;
    const sent = this.#send(this.#waiting, cells);
    if (this.closed) return false;
    if (sent < this.#waiting.length) {
      if (sent > 0) this.#hold(restOf(this.#waiting, sent));
      return this.#state === 'open' && this.#flow.sender.open;
    }
    this.#hold(nothing);
    if (this.#remoteEnded) this.end(endReason.done);
    else this.#resume();
    return false;
  }

  /** Bytes that went out. */
  #send(bytes: Uint8Array, cells: number): number {
    return packageData(this, this.#flow.sender, this.#circuit, bytes, 0, cells);
  }

  #hold(waiting: Uint8Array): void {
    this.#waiting = waiting;
    this.#outside.holds(this, waiting.length);
  }

  #write(bytes: Uint8Array): void {
    if (this.#state !== 'open' || this.connection === undefined) return;
    if (!this.#outside.port.write(this.connection, bytes)) this.#full = true;
  }

  /** Lets the client send more once the connection has taken what came, or stops it. */
  #permit(): void {
    const { receiver } = this.#flow;
    while (this.#state === 'open' && !this.#full && receiver.due) {
      receiver.acknowledge();
      this.#circuit.sendControl(this, relayCommand.sendme, nothing);
    }
    const signal = this.#state === 'open' ? receiver.signal() : undefined;
    if (signal === undefined) return;
    const { command, body } = signalCell(signal);
    this.#circuit.sendControl(this, command, body);
  }

  #close(): void {
    this.#state = 'closed';
    if (this.#waiting.length > 0) this.#hold(nothing);
    this.#early = [];
    this.#flow.sender.stop();
    this.#flow.receiver.stop();
  }

  #pause(): void {
    if (this.#paused || this.connection === undefined) return;
    this.#paused = true;
    this.#outside.port.pause(this.connection);
  }

  #resume(): void {
    if (!this.#paused || this.connection === undefined) return;
    this.#paused = false;
    this.#outside.port.resume(this.connection);
  }
}

/** END reasons for the ways in which a connection ends. spec: tor-spec/closing-streams */
function endOfClose(why: CloseReason): number {
  switch (why) {
    case 'done':
      return endReason.done;
    case 'refused':
      return endReason.connectRefused;
    case 'timeout':
      return endReason.timeout;
    case 'reset':
      return endReason.connectionReset;
    case 'unreachable':
      return endReason.noRoute;
    case 'protocol':
    case 'overload':
      return endReason.misc;
  }
}
