import { directoryRequestMsMax } from '../src/base/limits.ts';
import type { DirectoryCache } from '../src/directory/directory-cache.ts';
import { HttpRequestReader } from '../src/directory/http-codec.ts';
import type { Cancel, Clock, Endpoint, StreamId, StreamPort } from '../src/ports.ts';

/** Connections to a plain directory port at once, from one address and in all. */
const connectionsPerAddressMax = 64;
const connectionsMax = 1_000;
/** Bytes handed to a connection in one write. */
const writeBytes = 65_536;

interface Connection {
  readonly from: string;
  readonly request: HttpRequestReader;
  /** What is left to send, once the request is whole. */
  answer: Uint8Array | undefined;
  readonly cancel: Cancel;
}

/** One HTTP request and one answer per connection, for relays that ask without a circuit. */
export class DirPort {
  readonly #port: StreamPort;
  readonly #clock: Clock;
  readonly #directory: DirectoryCache;
  readonly #uploadBytesMax: (host: string) => number;
  readonly #connections = new Map<StreamId, Connection>();
  readonly #perAddress = new Map<string, number>();

  /** @param uploadBytesMax how much may be uploaded at once from that address. */
  constructor(
    port: StreamPort,
    clock: Clock,
    directory: DirectoryCache,
    uploadBytesMax: (host: string) => number,
  ) {
    this.#port = port;
    this.#clock = clock;
    this.#directory = directory;
    this.#uploadBytesMax = uploadBytesMax;
  }

  onAccepted(stream: StreamId, from: Endpoint): void {
    const count = this.#perAddress.get(from.host) ?? 0;
    if (
      count >= connectionsPerAddressMax ||
      (this.#connections.size >= connectionsMax && !this.#makeRoom())
    ) {
      this.#port.close(stream);
      return;
    }
    this.#perAddress.set(from.host, count + 1);
    const cancel = this.#clock.after(directoryRequestMsMax, () => this.#close(stream));
    const request = new HttpRequestReader(this.#uploadBytesMax(from.host));
    this.#connections.set(stream, { from: from.host, request, answer: undefined, cancel });
  }

  /** Whoever has taken longest to ask gives way; false: all are being answered. */
  #makeRoom(): boolean {
    for (const [stream, { answer }] of this.#connections) {
      if (answer !== undefined) continue;
      this.#close(stream);
      return true;
    }
    return false;
  }

  onBytes(stream: StreamId, bytes: Uint8Array): void {
    const connection = this.#connections.get(stream);
    // What follows a request that is being answered is not read.
    if (connection === undefined || connection.answer !== undefined) return;
    const request = connection.request.push(bytes);
    if (request === undefined) return;
    connection.answer = this.#directory.respondTo(request, connection.from);
    this.#send(stream, connection);
  }

  onWritable(stream: StreamId): void {
    const connection = this.#connections.get(stream);
    if (connection?.answer !== undefined) this.#send(stream, connection);
  }

  /** The asker says no more; one that has not said all will get no answer, one that has its answer is done. */
  onEnd(stream: StreamId): void {
    const answer = this.#connections.get(stream)?.answer;
    if (answer === undefined || answer.length === 0) this.#close(stream);
  }

  onClosed(stream: StreamId): void {
    this.#forget(stream);
  }

  #send(stream: StreamId, connection: Connection): void {
    while (connection.answer !== undefined && connection.answer.length > 0) {
      const part = connection.answer.subarray(0, writeBytes);
      connection.answer = connection.answer.subarray(part.length);
      if (!this.#port.write(stream, part)) return;
    }
    // The asker reads to the end of the stream and closes; the timer ends those that do not.
    this.#port.end(stream);
    connection.answer = new Uint8Array();
  }

  #close(stream: StreamId): void {
    if (!this.#connections.has(stream)) return;
    this.#forget(stream);
    this.#port.close(stream);
  }

  #forget(stream: StreamId): void {
    const connection = this.#connections.get(stream);
    if (connection === undefined) return;
    connection.cancel();
    this.#connections.delete(stream);
    const count = (this.#perAddress.get(connection.from) ?? 1) - 1;
    if (count === 0) this.#perAddress.delete(connection.from);
    else this.#perAddress.set(connection.from, count);
  }
}
