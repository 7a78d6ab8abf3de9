import { concatBytes } from '../base/bytes.ts';
import type { Fault } from '../base/fault.ts';
import { directoryRequestBytesMax } from '../base/limits.ts';
import { endReason, relayCommand } from '../cell/commands.ts';
import { encodeEnd } from '../cell/relay-messages.ts';
import type { FlowFault, StreamFlow } from '../flow/flow-control.ts';
import { onFlowCell } from './flow-cells.ts';
import { packageData } from './package-data.ts';
import type { RelayStream, RelayStreamCircuit } from './relay-stream.ts';

/** Answers directory requests from what is at hand. */
export interface DirectoryService {
  /** The whole answer to the request so far; undefined: the request goes on. */
  respond(request: Uint8Array): Uint8Array | undefined;
  /** True: the request is whole, and others must be asked for the answer; `later` is told it, once. */
  defer?(request: Uint8Array, later: (answer: Uint8Array) => void): boolean;
}

/**
 * A BEGIN_DIR stream at the relay that serves it: collects a request, sends the answer, ends. Its cells are not
 * metered, since a client needs directory documents before it can pay.
 * spec: tor-spec/opening-streams (BEGIN_DIR)
 */
export class DirectoryStream implements RelayStream {
  readonly id: number;
  readonly kind = 'directory';
  #circuit: RelayStreamCircuit;
  #service: DirectoryService;
  #flow: StreamFlow;
  #request: Uint8Array = new Uint8Array(0);
  #answer: Uint8Array | undefined;
  /** The answer comes later. */
  #awaited = false;
  #sent = 0;
  #closed = false;

  constructor(id: number, circuit: RelayStreamCircuit, service: DirectoryService) {
    this.id = id;
    this.#circuit = circuit;
    this.#service = service;
    this.#flow = circuit.flow.stream(() => circuit.wake(this));
  }

  /** Tells the client that the stream is open. */
  open(): void {
    this.#circuit.sendControl(this, relayCommand.connected, new Uint8Array(0));
  }

  onData(body: Uint8Array, cells: number): FlowFault | undefined {
    const { receiver } = this.#flow;
    const fault = receiver.deliver(cells, body.length, false);
    if (fault !== undefined) return fault;
    // What follows a request that is being answered is not read.
    if (this.#answer !== undefined || this.#awaited || this.#closed) return undefined;
    if (this.#request.length + body.length > directoryRequestBytesMax) {
      this.end(endReason.resourceLimit);
      return undefined;
    }
    this.#request = concatBytes(this.#request, body);
    this.#awaited = this.#service.defer?.(this.#request, answer => this.#onLater(answer)) ?? false;
    if (this.#awaited) {
      this.#request = new Uint8Array(0);
      return undefined;
    }
    this.#answer = this.#service.respond(this.#request);
    if (this.#answer !== undefined) {
      this.#request = new Uint8Array(0);
      this.#circuit.wait(this);
    } else if (receiver.due) {
      receiver.acknowledge();
      this.#circuit.sendControl(this, relayCommand.sendme, new Uint8Array(0));
    }
    return undefined;
  }

  #onLater(answer: Uint8Array): void {
    if (this.#closed) return;
    this.#answer = answer;
    this.#circuit.wake(this);
  }

  onFlow(command: number, body: Uint8Array): Fault | undefined {
    const fault = onFlowCell(this.#flow.sender, command, body);
    if (fault === undefined && this.#answer !== undefined) this.#circuit.wait(this);
    return fault;
  }

  onEnd(): void {
    this.#close();
  }

  abandon(): void {
    this.#close();
  }

  /** Ends the stream, answered or not. */
  end(reason: number): void {
    if (this.#closed) return;
    this.#close();
    this.#circuit.sendControl(this, relayCommand.end, encodeEnd({ reason }));
    this.#circuit.release(this, true);
  }

  pump(cells: number): boolean {
    if (this.#answer === undefined || this.#closed) return false;
    const answer = this.#answer;
    const { sender } = this.#flow;
    this.#sent = packageData(this, sender, this.#circuit, answer, this.#sent, cells);
    if (this.#sent < answer.length) return !this.#closed && sender.open;
    this.end(endReason.done);
    return false;
  }

  #close(): void {
    this.#closed = true;
    this.#flow.sender.stop();
    this.#flow.receiver.stop();
  }
}
