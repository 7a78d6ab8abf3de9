import { restOf } from '../base/bytes.ts';
import type { Fault } from '../base/fault.ts';
import { endReason, relayCommand } from '../cell/commands.ts';
import type { ResolvedMessage } from '../cell/relay-messages.ts';
import { decodeConnected, decodeEnd, decodeResolved } from '../cell/relay-messages.ts';
import type { CircuitFlow, StreamFlow } from '../flow/flow-control.ts';
import { onFlowCell, signalCell } from './flow-cells.ts';
import { type DataSender, packageData } from './package-data.ts';

/** The program's side of a stream: who reads what comes and is told how it ends. */
export interface StreamUser {
  /** The far side accepted; `address` is what it connected to, IP text, where it says so. */
  onOpened(address: string | undefined): void;
  /** False: full. The stream then permits no more DATA, or stops it, until `drained()`. A view: valid during the call. */
  onData(bytes: Uint8Array): boolean;
  /** `write` has returned false before; now it may be called again. */
  onWritable(): void;
  /** The answer to a RESOLVE; the stream is over. */
  onResolved(answer: ResolvedMessage): void;
  /**
   * The stream is over; `reason` is of END, or what stands for it when the circuit broke. `address` is what the far side's policy
   * refused, where it says so.
   */
  onClosed(reason: number, address?: string): void;
}

/** What a stream asks of its circuit. */
export interface StreamCircuit extends DataSender<ClientStream> {
  /** A cell of this stream that is no DATA, in order behind what was sent before. */
  sendControl(stream: ClientStream, command: number, body: Uint8Array): void;
  /** DATA that a stream SENDME would permit must be paid for first; the circuit sends it when it can. */
  permit(stream: ClientStream): void;
  /** The stream wants `flush()` to be called once the circuit lets DATA out again. */
  wait(stream: ClientStream): void;
  /** Neither side uses the id any more, or, with `lingers`, the far side may still send on it. */
  release(stream: ClientStream, lingers: boolean): void;
}

export type StreamKind = 'connect' | 'directory' | 'resolve';

export type ClientStreamFault = Fault<'STREAM_PROTOCOL'>;

/** An answer that cannot be read ends its stream alone, and no other exit is tried, as with C tor. */
const unreadable = endReason.internal;
const protocol = (detail: string): ClientStreamFault => ({ code: 'STREAM_PROTOCOL', detail });

type State = 'opening' | 'open' | 'closed';

/**
 * The client's end of one stream.
 *
 * | cell      | here |
 * |-----------|------|
 * | CONNECTED | opening -> open |
 * | DATA      | handed to the user; also while opening, since an exit may send both in one breath |
 * | SENDME    | 50 more DATA cells may be sent |
 * | XOFF, XON | no DATA may be sent; DATA may be sent again |
 * | END       | closed; the user is told the reason |
 * | RESOLVED  | closed; the user is told the answer |
 *
 * spec: tor-spec/opening-streams, tor-spec/flow-control
 */
export class ClientStream {
  readonly id: number;
  readonly hop: number;
  readonly kind: StreamKind;
  readonly #circuit: StreamCircuit;
  readonly #user: StreamUser;
  #state: State = 'opening';
  /** CONNECTED has come; DATA may open a stream before. */
  #connected = false;
  readonly #flow: StreamFlow;
  #userFull = false;
  #waiting: Uint8Array | undefined;
  #writableOwed = false;
  #endAfterWaiting: number | undefined;

  /** @param flow of the circuit with that hop. */
  constructor(
    id: number,
    hop: number,
    kind: StreamKind,
    flow: CircuitFlow,
    circuit: StreamCircuit,
    user: StreamUser,
  ) {
    this.id = id;
    this.hop = hop;
    this.kind = kind;
    this.#flow = flow.stream(() => this.flush());
    this.#circuit = circuit;
    this.#user = user;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** DATA cells that the far side may still send on this stream without a further SENDME. */
  get receiveWindow(): number {
    return this.#flow.receiver.cells;
  }

  /** Takes all of `bytes` (copied where it must wait). False: wait for onWritable before writing more. */
  write(bytes: Uint8Array): boolean {
    if (this.#state === 'closed' || bytes.length === 0) return true;
    if (this.#waiting !== undefined) {
      // A source that was told to pause may have had one read under way.
      this.#waiting = joined(this.#waiting, bytes);
      return false;
    }
    const sent = this.#package(bytes);
    if (sent === bytes.length) return true;
    this.#waiting = bytes.slice(sent);
    this.#writableOwed = true;
    this.#circuit.wait(this);
    return false;
  }

  /** The circuit lets DATA out again, or the far side permitted more. */
  flush(): void {
    if (this.#state !== 'open' && this.kind !== 'directory') return;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      const sent = this.#package(waiting);
      if (sent < waiting.length) {
        this.#waiting = restOf(waiting, sent);
        this.#circuit.wait(this);
        return;
      }
      this.#waiting = undefined;
    }
    if (this.#endAfterWaiting !== undefined) this.close(this.#endAfterWaiting);
    else if (this.#writableOwed) {
      this.#writableOwed = false;
      this.#user.onWritable();
    }
  }

  /** The user has room again. */
  drained(): void {
    if (!this.#userFull || this.#state === 'closed') return;
    this.#userFull = false;
    this.#flow.receiver.drained();
    this.#tellReceived();
  }

  /** Ends the stream once all that was written has been sent; the user hears nothing more. */
  finish(reason: number = endReason.done): void {
    if (this.#waiting === undefined) this.close(reason);
    else this.#endAfterWaiting = reason;
  }

  /** Ends the stream now; what waits is dropped. The user hears nothing more. */
  close(reason: number): void {
    if (this.#state === 'closed') return;
    this.#over();
    // spec: tor-spec/closing-streams: a client tells no reason but DONE and MISC, to be like every other client
    const told = reason === endReason.done ? reason : endReason.misc;
    this.#circuit.sendControl(this, relayCommand.end, Uint8Array.of(told));
    this.#circuit.release(this, true);
  }

  /** A cell of this stream from the hop it goes to. A fault ends the circuit; `idle`: it says nothing here. */
  onCell(command: number, body: Uint8Array): ClientStreamFault | 'idle' | undefined {
    switch (command) {
      case relayCommand.data:
        return this.kind === 'resolve' ? 'idle' : this.onData(body, 1);
      case relayCommand.sendme:
      case relayCommand.xoff:
      case relayCommand.xon:
        return this.#onFlow(command, body);
      case relayCommand.connected:
        return this.#onConnected(body);
      case relayCommand.end:
        return this.#onEnd(body);
      case relayCommand.resolved:
        return this.#onResolved(body);
      default:
        return undefined;
    }
  }

  /** DATA from the hop it goes to, no lookup's: one cell's, or that of several full ones. A fault ends the circuit. */
  onData(body: Uint8Array, cells: number): ClientStreamFault | undefined {
    // spec: tor-spec/flow-control: more DATA than was permitted ends the circuit
    const fault = this.#flow.receiver.deliver(cells, body.length, this.#userFull);
    if (fault !== undefined) return protocol('DATA beyond the window');
    this.#opened(undefined);
    if (this.#state === 'closed' || body.length === 0) return undefined;
    if (!this.#user.onData(body)) this.#userFull = true;
    this.#tellReceived();
    return undefined;
  }

  /** The circuit broke. */
  onCircuitLost(reason: number): void {
    if (this.#state === 'closed') return;
    this.#over();
    this.#user.onClosed(reason);
  }

  /** True when the far side has earned a SENDME and the user has room. */
  get permitDue(): boolean {
    return this.#state !== 'closed' && !this.#userFull && this.#flow.receiver.due;
  }

  /** The circuit sends the SENDME that is due. */
  givePermit(): void {
    this.#flow.receiver.acknowledge();
  }

  /** Lets the far side send more, or stops it. */
  #tellReceived(): void {
    if (this.permitDue) this.#circuit.permit(this);
    const signal = this.#isOver() ? undefined : this.#flow.receiver.signal();
    if (signal === undefined) return;
    const { command, body } = signalCell(signal);
    this.#circuit.sendControl(this, command, body);
  }

  #onFlow(command: number, body: Uint8Array): ClientStreamFault | 'idle' | undefined {
    const fault = onFlowCell(this.#flow.sender, command, body);
    // C tor passes over an XOFF or XON that it cannot read or did not expect.
    if (fault !== undefined) return command === relayCommand.sendme ? protocol(fault.code) : 'idle';
    this.flush();
    return undefined;
  }

  #onConnected(body: Uint8Array): ClientStreamFault | 'idle' | undefined {
    if (this.kind === 'resolve') return 'idle';
    if (this.#connected) return protocol('CONNECTED twice');
    this.#connected = true;
    const connected = decodeConnected(body);
    if (connected === undefined) {
      this.close(unreadable);
      this.#user.onClosed(unreadable);
    } else this.#opened(connected.address);
    return undefined;
  }

  #onEnd(body: Uint8Array): undefined {
    this.#over();
    this.#circuit.release(this, false);
    const end = decodeEnd(body);
    this.#user.onClosed(end?.reason ?? endReason.misc, end?.address);
  }

  #onResolved(body: Uint8Array): ClientStreamFault | 'idle' | undefined {
    if (this.kind !== 'resolve')
      return this.#state === 'opening' ? 'idle' : protocol('RESOLVED on an open stream');
    const answer = decodeResolved(body);
    this.#over();
    this.#circuit.release(this, false);
    if (answer === undefined) this.#user.onClosed(unreadable);
    else this.#user.onResolved(answer);
    return undefined;
  }

  #opened(address: string | undefined): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.#user.onOpened(address);
    this.flush();
  }

  #over(): void {
    this.#state = 'closed';
    this.#waiting = undefined;
    this.#endAfterWaiting = undefined;
    this.#flow.sender.stop();
    this.#flow.receiver.stop();
  }

  #isOver(): boolean {
    return this.#state === 'closed';
  }

  /** Sends what fits the windows now; returns how many bytes that were. */
  #package(bytes: Uint8Array): number {
    // The request of a directory stream may go out with BEGIN_DIR; an exit's answer decides whether the rest goes there.
    if (this.#state === 'opening' && this.kind !== 'directory') return 0;
    return packageData(this, this.#flow.sender, this.#circuit, bytes, 0, Number.POSITIVE_INFINITY);
  }
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
