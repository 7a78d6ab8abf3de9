import { directoryRequestMsMax } from '../src/base/limits.ts';
import type { HeldBytes } from '../src/circuit/held-bytes.ts';
import type { DirectoryCache } from '../src/directory/directory-cache.ts';
import { type EncodedAnswer, HttpRequestReader } from '../src/directory/http-codec.ts';
import type { Cancel, Clock, Endpoint, StreamId, StreamPort } from '../src/ports.ts';
import { type HeldPlace, newPlace } from '../src/stream/held-place.ts';

/** Connections to a plain directory port at once, from one address and in all. */
const connectionsPerAddressMax = 64;
const connectionsMax = 1_000;
/** Bytes handed to a connection in one write. */
const writeBytes = 65_536;

interface Connection {
  readonly from: string;
  readonly request: HttpRequestReader;
  readonly place: HeldPlace;
  requestBytes: number;
  /** What is left to send, once the request is whole. */
  answer: Uint8Array[] | undefined;
  /** The answer's body is at hand anyway, for whoever asks. */
  shared: boolean;
  readonly cancel: Cancel;
  /** Closes it, so that others have room. */
  end(): void;
}

/** One HTTP request and one answer per connection, for relays that ask without a circuit. */
export class DirPort {
  readonly #port: StreamPort;
  readonly #clock: Clock;
  readonly #directory: DirectoryCache;
  readonly #uploadBytesMax: (host: string) => number;
  readonly #held: HeldBytes;
  readonly #connections = new Map<StreamId, Connection>();
  readonly #perAddress = new Map<string, number>();

  /**
   * @param uploadBytesMax how much may be uploaded at once from that address.
   * @param held counts what waits here for askers.
   */
  constructor(
    port: StreamPort,
    clock: Clock,
    directory: DirectoryCache,
    uploadBytesMax: (host: string) => number,
    held: HeldBytes,
  ) {
    this.#port = port;
    this.#clock = clock;
    this.#directory = directory;
    this.#uploadBytesMax = uploadBytesMax;
    this.#held = held;
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
    const end = () => this.#close(stream);
    this.#connections.set(stream, {
      from: from.host,
      request: new HttpRequestReader(this.#uploadBytesMax(from.host)),
      place: newPlace(),
      requestBytes: 0,
      answer: undefined,
      shared: false,
      cancel: this.#clock.after(directoryRequestMsMax, end),
      end,
    });
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
    connection.requestBytes += bytes.length;
    this.#held.holds(connection, request === undefined ? connection.requestBytes : 0);
    if (request !== undefined)
      this.#answer(stream, connection, this.#directory.encoded(request, connection.from));
  }

  #answer(stream: StreamId, connection: Connection, { head, body, shared }: EncodedAnswer): void {
    connection.answer = [head, body].filter(part => part.length > 0);
    connection.shared = shared;
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
    const { answer = [], shared } = connection;
    let takes = true;
    while (takes && answer.length > 0) {
      const [part] = answer;
      if (part.length > writeBytes) answer[0] = part.subarray(writeBytes);
      else answer.shift();
      takes = this.#port.write(stream, part.subarray(0, writeBytes));
    }
    const left = answer.reduce((sum, part) => sum + part.length, 0);
    this.#held.holds(connection, shared ? 0 : left);
    // The asker reads to the end of the stream and closes; the timer ends those that do not.
    if (takes) this.#port.end(stream);
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
    this.#held.holds(connection, 0);
    this.#connections.delete(stream);
    const count = (this.#perAddress.get(connection.from) ?? 1) - 1;
    if (count === 0) this.#perAddress.delete(connection.from);
    else this.#perAddress.set(connection.from, count);
  }
}
