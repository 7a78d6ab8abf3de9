import { type Fault, fail, type Result } from '../base/fault.ts';
import { directoryRequestMsMax } from '../base/limits.ts';
import type { Cancel, Clock, CloseReason, Endpoint, StreamId, StreamPort } from '../ports.ts';
import { type HttpResponse, HttpResponseReader } from './http-codec.ts';

interface Transfer {
  readonly request: Uint8Array;
  readonly reader: HttpResponseReader;
  readonly answer: (result: Result<HttpResponse, Fault>) => void;
  readonly cancel: Cancel;
}

/** Requests to directory ports, each on a connection of its own. */
export class HttpTransfers {
  readonly #port: StreamPort;
  readonly #clock: Clock;
  #transfers = new Map<StreamId, Transfer>();

  constructor(port: StreamPort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  /** @param answer called once, later. */
  ask(to: Endpoint, request: Uint8Array, answer: (result: Result<HttpResponse, Fault>) => void): void {
    const stream = this.#port.connect(to);
    const cancel = this.#clock.after(directoryRequestMsMax, () => {
      this.#port.close(stream);
      this.#finish(stream, fail('HTTP_TIMEOUT'));
    });
    this.#transfers.set(stream, { request, reader: new HttpResponseReader(), answer, cancel });
  }

  owns(stream: StreamId): boolean {
    return this.#transfers.has(stream);
  }

  onConnected(stream: StreamId): void {
    const transfer = this.#transfers.get(stream);
    if (transfer !== undefined) this.#port.write(stream, transfer.request);
  }

  onBytes(stream: StreamId, bytes: Uint8Array): void {
    const result = this.#transfers.get(stream)?.reader.push(bytes);
    if (result === undefined) return;
    this.#port.close(stream);
    this.#finish(stream, result);
  }

  /** The server has sent all. */
  onEnd(stream: StreamId): void {
    const transfer = this.#transfers.get(stream);
    if (transfer === undefined) return;
    this.#port.close(stream);
    this.#finish(stream, transfer.reader.end());
  }

  onClosed(stream: StreamId, why: CloseReason): void {
    const transfer = this.#transfers.get(stream);
    if (transfer === undefined) return;
    this.#finish(stream, why === 'done' ? transfer.reader.end() : fail('HTTP_UNREACHABLE', why));
  }

  /** Gives all up without an answer. */
  stop(): void {
    for (const [stream, { cancel }] of this.#transfers) {
      cancel();
      this.#port.close(stream);
    }
    this.#transfers.clear();
  }

  #finish(stream: StreamId, result: Result<HttpResponse, Fault>): void {
    const transfer = this.#transfers.get(stream);
    if (transfer === undefined) return;
    this.#transfers.delete(stream);
    transfer.cancel();
    transfer.answer(result);
  }
}
