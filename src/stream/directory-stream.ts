import { concatBytes } from '../base/bytes.ts';
import type { Fault } from '../base/fault.ts';
import { directoryRequestBytesMax, relayBodyBytesMax } from '../base/limits.ts';
import { endReason, relayCommand } from '../cell/commands.ts';
import { encodeEnd } from '../cell/relay-messages.ts';
import type { FlowFault, StreamFlow } from '../flow/flow-control.ts';
import { onFlowCell } from './flow-cells.ts';
import { type HeldPlace, newPlace } from './held-place.ts';
import { packageData } from './package-data.ts';
import type { RelayStream, RelayStreamCircuit } from './relay-stream.ts';

/** Answers directory requests. */
export interface DirectoryService {
  begin(asker: DirectoryAsker): DirectoryRequest;
}

/** Where an answer goes. */
export interface DirectoryAsker {
  readonly place: HeldPlace;
  /** Once, at once or later. The body may be one for many: it is not copied. */
  answer(head: Uint8Array, body: Uint8Array): void;
  /** There will be none, or no more of it. */
  end(reason: number): void;
}

/** One request as it comes, until its answer has been sent. */
export interface DirectoryRequest {
  /** The next bytes, valid during the call. False: the request is whole, and no more are read. */
  onBytes(bytes: Uint8Array): boolean;
  /** Some of the answer has been sent, and so many bytes are left. */
  onLeft(bytes: number): void;
  /** The stream is over. */
  stop(): void;
}

/**
 * A BEGIN_DIR stream at the relay that serves it: collects a request, sends the answer, ends. Its cells are not
 * metered, since a client needs directory documents before it can pay.
 * spec: tor-spec/opening-streams (BEGIN_DIR)
 */
export class DirectoryStream implements RelayStream, DirectoryAsker {
  readonly id: number;
  readonly kind = 'directory';
  readonly place = newPlace();
  #circuit: RelayStreamCircuit;
  #request: DirectoryRequest;
  #flow: StreamFlow;
  #requestBytes = 0;
  #whole = false;
  /** What is left of the answer, the first up to `#sent` excluded. All but the last fill cells. */
  #answer: Uint8Array[] | undefined;
  #sent = 0;
  /** A cell is being treated. */
  #inside = false;
  #closed = false;

  constructor(id: number, circuit: RelayStreamCircuit, service: DirectoryService) {
    this.id = id;
    this.#circuit = circuit;
    this.#flow = circuit.flow.stream(() => circuit.wake(this));
    this.#request = service.begin(this);
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
    if (this.#whole || this.#closed) return undefined;
    this.#requestBytes += body.length;
    if (this.#requestBytes > directoryRequestBytesMax) {
      this.end(endReason.resourceLimit);
      return undefined;
    }
    this.#inside = true;
    this.#whole = !this.#request.onBytes(body);
    this.#inside = false;
    if (!this.#whole && !this.#closed && receiver.due) {
      receiver.acknowledge();
      this.#circuit.sendControl(this, relayCommand.sendme, new Uint8Array(0));
    }
    return undefined;
  }

  answer(head: Uint8Array, body: Uint8Array): void {
    if (this.#closed) return;
    const gap = (relayBodyBytesMax - (head.length % relayBodyBytesMax)) % relayBodyBytesMax;
    this.#answer = [concatBytes(head, body.subarray(0, gap)), body.subarray(gap)];
    if (this.#inside) this.#circuit.wait(this);
    else this.#circuit.wake(this);
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
    const answer = this.#answer;
    if (answer === undefined || this.#closed) return false;
    const { sender } = this.#flow;
    let took = false;
    for (let [part] = answer; part !== undefined; [part] = answer) {
      const before = this.#sent;
      this.#sent = packageData(this, sender, this.#circuit, part, before, cells);
      cells -= Math.ceil((this.#sent - before) / relayBodyBytesMax);
      took ||= this.#sent > before;
      if (this.#sent < part.length) break;
      answer.shift();
      this.#sent = 0;
    }
    const left = answer.reduce((sum, part) => sum + part.length, 0) - this.#sent;
    if (took && !this.#closed) this.#request.onLeft(left);
    if (answer.length > 0) return !this.#closed && sender.open;
    this.end(endReason.done);
    return false;
  }

  #close(): void {
    this.#closed = true;
    this.#answer = undefined;
    this.#request.stop();
    this.#flow.sender.stop();
    this.#flow.receiver.stop();
  }
}
