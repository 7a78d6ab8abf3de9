import { concatBytes } from '../base/bytes.ts';
import { directoryRequestBytesMax, relayBodyBytesMax } from '../base/limits.ts';
import { endReason, relayCommand } from '../cell/commands.ts';
import { encodeEnd } from '../cell/relay-messages.ts';
import { DeliverWindow, StreamPackageWindow, type WindowFault } from '../flow/sendme-window.ts';
import type { RelayStream, RelayStreamCircuit } from './relay-stream.ts';

/** Answers directory requests from what is at hand. */
export interface DirectoryService {
  /** The whole answer to the request so far; undefined: the request goes on. */
  respond(request: Uint8Array): Uint8Array | undefined;
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
  #package = new StreamPackageWindow();
  #deliver = DeliverWindow.stream();
  #request: Uint8Array = new Uint8Array(0);
  #answer: Uint8Array | undefined;
  #sent = 0;
  #closed = false;

  constructor(id: number, circuit: RelayStreamCircuit, service: DirectoryService) {
    this.id = id;
    this.#circuit = circuit;
    this.#service = service;
  }

  /** Tells the client that the stream is open. */
  open(): void {
    this.#circuit.sendControl(this, relayCommand.connected, new Uint8Array(0));
  }

  onData(body: Uint8Array): WindowFault | undefined {
    const fault = this.#deliver.deliver();
    if (fault !== undefined) return fault;
    // What follows a request that is being answered is not read.
    if (this.#answer !== undefined || this.#closed) return undefined;
    if (this.#request.length + body.length > directoryRequestBytesMax) {
      this.end(endReason.resourceLimit);
      return undefined;
    }
    this.#request = concatBytes(this.#request, body);
    this.#answer = this.#service.respond(this.#request);
    if (this.#answer !== undefined) {
      this.#request = new Uint8Array(0);
      this.#circuit.wait(this);
    } else if (this.#deliver.due) {
      this.#deliver.acknowledge();
      this.#circuit.sendControl(this, relayCommand.sendme, new Uint8Array(0));
    }
    return undefined;
  }

  onSendme(): WindowFault | undefined {
    const fault = this.#package.sendme();
    if (fault === undefined && this.#answer !== undefined) this.#circuit.wait(this);
    return fault;
  }

  onEnd(): void {
    this.#closed = true;
  }

  abandon(): void {
    this.#closed = true;
  }

  /** Ends the stream, answered or not. */
  end(reason: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#circuit.sendControl(this, relayCommand.end, encodeEnd({ reason }));
    this.#circuit.release(this, true);
  }

  pump(cells: number): boolean {
    if (this.#answer === undefined || this.#closed) return false;
    const answer = this.#answer;
    while (this.#sent < answer.length && cells > 0 && this.#package.open && this.#circuit.dataAllowed) {
      const length = Math.min(relayBodyBytesMax, answer.length - this.#sent);
      this.#package.package();
      this.#circuit.sendData(this, answer, this.#sent, length);
      this.#sent += length;
      cells -= 1;
    }
    if (this.#sent < answer.length) return !this.#closed && this.#package.open;
    this.end(endReason.done);
    return false;
  }
}
