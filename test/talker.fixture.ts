import { concatBytes, utf8 } from '../src/base/bytes.ts';
import { parseIp } from '../src/base/ip.ts';
import type { Endpoint, StreamHandler, StreamId } from '../src/ports.ts';
import type { SimHost } from '../src/sim/sim-host.ts';

/** One end of a simulated TCP connection, as a test drives it. */
export class Talk {
  received: Uint8Array = new Uint8Array(0);
  connected = false;
  /** The other side sends no more. */
  ended = false;
  /** How the connection went down. */
  closed: string | undefined;
  readonly #host: SimHost;
  readonly #stream: StreamId;
  readonly #early: Uint8Array[] = [];

  constructor(host: SimHost, stream: StreamId) {
    this.#host = host;
    this.#stream = stream;
  }

  /** The other side has said its last word. */
  get over(): boolean {
    return this.ended || this.closed !== undefined;
  }

  get text(): string {
    return Buffer.from(this.received).toString('latin1');
  }

  /** Sends bytes, or a text in Latin-1; waits for the connection by itself. */
  send(what: Uint8Array | string): this {
    const bytes = typeof what === 'string' ? new Uint8Array(Buffer.from(what, 'latin1')) : what;
    if (!this.connected) this.#early.push(bytes);
    else this.#host.node.turn(() => this.#host.streams.write(this.#stream, bytes));
    return this;
  }

  /** Sends no more. */
  end(): this {
    this.#host.node.turn(() => this.#host.streams.end(this.#stream));
    return this;
  }

  close(): void {
    this.#host.node.turn(() => this.#host.streams.close(this.#stream));
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#host.node.turn(() => this.#host.streams.pause(this.#stream));
  }

  resume(): void {
    this.#host.node.turn(() => this.#host.streams.resume(this.#stream));
  }

  onConnected(): void {
    this.connected = true;
    for (const bytes of this.#early) this.#host.streams.write(this.#stream, bytes);
  }

  onBytes(bytes: Uint8Array): void {
    this.received = concatBytes(this.received, bytes);
  }
}

/** All connections of one simulated host. */
class TalkHandler implements StreamHandler {
  readonly talks = new Map<StreamId, Talk>();
  readonly accepted: Talk[] = [];
  readonly #host: SimHost;

  constructor(host: SimHost) {
    this.#host = host;
  }

  onResolved(): void {}

  onStreamAccepted(stream: StreamId): void {
    const talk = new Talk(this.#host, stream);
    talk.connected = true;
    this.talks.set(stream, talk);
    this.accepted.push(talk);
  }

  onConnected(stream: StreamId): void {
    this.talks.get(stream)?.onConnected();
  }

  onStreamBytes(stream: StreamId, bytes: Uint8Array): void {
    this.talks.get(stream)?.onBytes(bytes);
  }

  onStreamWritable(): void {}

  onStreamEnd(stream: StreamId): void {
    const talk = this.talks.get(stream);
    if (talk !== undefined) talk.ended = true;
  }

  onStreamClosed(stream: StreamId, why: string): void {
    const talk = this.talks.get(stream);
    if (talk !== undefined) talk.closed = why;
  }
}

/** A host of programs that open connections. */
export class Talker {
  readonly #host: SimHost;
  readonly #handler: TalkHandler;

  constructor(host: SimHost) {
    this.#host = host;
    this.#handler = new TalkHandler(host);
    host.streams.attach(this.#handler);
  }

  connect(to: Endpoint): Talk {
    return this.#host.node.turn(() => {
      const stream = this.#host.streams.connect(to);
      const talk = new Talk(this.#host, stream);
      this.#handler.talks.set(stream, talk);
      return talk;
    });
  }
}

/** A server that takes connections and says what the test tells it to. */
export class Destination {
  readonly host: SimHost;
  readonly #handler: TalkHandler;

  constructor(host: SimHost, port: number) {
    this.host = host;
    this.#handler = new TalkHandler(host);
    host.streams.attach(this.#handler);
    host.streams.listen(port, 'server');
  }

  /** Connections in the order in which they came. */
  get visits(): readonly Talk[] {
    return this.#handler.accepted;
  }
}

/** A user and password, as SOCKS5 carries them. */
export interface SocksLogin {
  readonly user: string;
  readonly password: string;
}

const commands = { connect: 1, resolve: 0xf0, resolvePtr: 0xf1 } as const;

/** All that a program sends for one request, in one piece: greeting, user and password if given, request. */
export function socksRequest(
  command: keyof typeof commands,
  host: string,
  port: number,
  login?: SocksLogin,
): Uint8Array {
  const sized = (text: string): Uint8Array => concatBytes(Uint8Array.of(utf8(text).length), utf8(text));
  const greeting =
    login === undefined
      ? Uint8Array.of(5, 1, 0)
      : concatBytes(Uint8Array.of(5, 1, 2, 1), sized(login.user), sized(login.password));
  const ip = parseIp(host);
  const address =
    ip === undefined
      ? concatBytes(Uint8Array.of(3), sized(host))
      : concatBytes(Uint8Array.of(ip.length === 4 ? 1 : 4), ip);
  const head = Uint8Array.of(5, commands[command], 0);
  return concatBytes(greeting, head, address, Uint8Array.of(port >> 8, port & 255));
}

/** What came back for a request sent by `socksRequest`: the reply's code, its address in hex, and what followed. */
export function socksAnswer(talk: Talk, login?: SocksLogin) {
  const at = login === undefined ? 2 : 4;
  const bytes = talk.received;
  const code = bytes[at + 1];
  if (bytes.length < at + 5) return { code: undefined, address: '', rest: '' };
  const lengths: Record<number, number> = { 1: 4, 4: 16, 3: 1 + bytes[at + 4] };
  const end = at + 4 + lengths[bytes[at + 3]];
  return {
    code,
    address: Buffer.from(bytes.subarray(at + 4, end)).toString('hex'),
    rest: Buffer.from(bytes.subarray(end + 2)).toString('latin1'),
  };
}
