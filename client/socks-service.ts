import type { Fault } from '../src/base/fault.ts';
import { socksConnectionsMax, socksHandshakeMsMax, streamLingerMsMax } from '../src/base/limits.ts';
import { reverseName } from '../src/base/reverse-name.ts';
import { endReason } from '../src/cell/commands.ts';
import type { ResolvedMessage } from '../src/cell/relay-messages.ts';
import type { Cancel, Clock, CloseReason, Endpoint, Observer, StreamId, StreamPort } from '../src/ports.ts';
import {
  encodeSocksReply,
  encodeSocksResolved,
  Socks5Server,
  type SocksEvent,
  type SocksReplyName,
  type SocksRequest,
  socksReplyForEnd,
} from '../src/socks/socks5.ts';
import type { CircuitTickets } from './circuit-tickets.ts';
import type { RequestedStream, RequestUser, StreamRequest } from './requested-stream.ts';

/** What the service asks of its core. */
export interface SocksHost {
  openStream(request: StreamRequest, user: RequestUser): RequestedStream;
  readonly tickets: CircuitTickets;
}

export interface SocksPorts {
  readonly streams: StreamPort;
  readonly clock: Clock;
  readonly observer: Observer;
}

/** The SOCKS5 port: programs' connections become streams. */
export class SocksService {
  readonly #host: SocksHost;
  readonly #ports: SocksPorts;
  readonly #connections = new Map<StreamId, SocksConnection>();

  constructor(host: SocksHost, ports: SocksPorts) {
    this.#host = host;
    this.#ports = ports;
  }

  /** True when the connection is one of ours. */
  owns(stream: StreamId): boolean {
    return this.#connections.has(stream);
  }

  onAccepted(stream: StreamId, from: Endpoint, listener: string): void {
    if (this.#connections.size >= socksConnectionsMax && !this.#makeRoom()) {
      this.#ports.observer.count('naulon_socks_refused_total');
      this.#ports.streams.close(stream);
      return;
    }
    const forget = (): void => {
      this.#connections.delete(stream);
    };
    this.#connections.set(
      stream,
      new SocksConnection(stream, { from, listener }, this.#host, this.#ports, forget),
    );
  }

  /** Whoever has taken longest to say what it wants gives way; false: all have said it. */
  #makeRoom(): boolean {
    for (const connection of this.#connections.values()) {
      if (connection.asked) continue;
      connection.giveWay();
      return true;
    }
    return false;
  }

  onBytes(stream: StreamId, bytes: Uint8Array): void {
    this.#connections.get(stream)?.onBytes(bytes);
  }

  onWritable(stream: StreamId): void {
    this.#connections.get(stream)?.onPortWritable();
  }

  onEnd(stream: StreamId): void {
    this.#connections.get(stream)?.onEnd();
  }

  onClosed(stream: StreamId, _why: CloseReason): void {
    this.#connections.get(stream)?.onGone();
  }
}

/** Where a connection comes from, and came to. */
interface Source {
  readonly from: Endpoint;
  readonly listener: string;
}

class SocksConnection implements RequestUser {
  readonly #id: StreamId;
  readonly #source: Source;
  readonly #host: SocksHost;
  readonly #ports: SocksPorts;
  readonly #forget: () => void;
  readonly #server = new Socks5Server();
  #timer: Cancel | undefined;
  #kind: SocksRequest['kind'] | undefined;
  #stream: RequestedStream | undefined;
  #answered = false;
  #over = false;

  constructor(id: StreamId, source: Source, host: SocksHost, ports: SocksPorts, forget: () => void) {
    this.#id = id;
    this.#source = source;
    this.#host = host;
    this.#ports = ports;
    this.#forget = forget;
    this.#timer = ports.clock.after(socksHandshakeMsMax, () => this.#close());
  }

  /** It has said what it wants. */
  get asked(): boolean {
    return this.#kind !== undefined;
  }

  giveWay(): void {
    this.#close();
  }

  // From the program

  onBytes(bytes: Uint8Array): void {
    for (const event of this.#server.push(bytes)) {
      if (this.#over) return;
      this.#onEvent(event);
    }
  }

  onPortWritable(): void {
    this.#stream?.drained();
  }

  onEnd(): void {
    if (this.#over) return;
    // Before its request was made there is nothing that could still be answered.
    if (this.#stream === undefined) this.#close();
    else this.#stream.endSource();
  }

  onGone(): void {
    this.#end();
    this.#forget();
    this.#stream?.close(endReason.done);
  }

  #onEvent(event: SocksEvent): void {
    switch (event.kind) {
      case 'send':
        this.#ports.streams.write(this.#id, event.bytes);
        break;
      case 'data':
        if (this.#stream?.write(event.bytes) === false) this.#ports.streams.pause(this.#id);
        break;
      case 'close':
        this.#ports.observer.count('naulon_socks_malformed_total');
        this.#ports.observer.log('info', 'socks-refused', { code: event.why });
        this.#finish();
        break;
      case 'request':
        this.#onRequest(event.request);
        break;
    }
  }

  #onRequest(request: SocksRequest): void {
    this.#kind = request.kind;
    this.#timer?.();
    this.#timer = undefined;
    const named = request.isolation === undefined ? undefined : this.#host.tickets.take(request.isolation);
    // The special-use name leads nowhere here, and its lookup would tell an exit of it. spec: RFC 7686
    if (named === 'gone' || /\.onion\.?$/i.test(request.host)) {
      this.#refuse('hostUnreachable');
      return;
    }
    const { isolation } = request;
    const { from, listener } = this.#source;
    // The two parts are told apart by a byte that neither can make up: their lengths.
    const login =
      isolation === undefined ? '' : `${isolation.user.length}:${isolation.user}${isolation.password}`;
    const asked = {
      goal: goalOf(request),
      // As C tor has it, what comes to two ports, or from two machines, shares no circuit. Source: tor(1), IsolateClientAddr
      isolation: `${listener}/${from.host}/${login}`,
      circuit: named,
      source: from,
      login: isolation,
    };
    this.#stream = this.#host.openStream(asked, this);
    // The stream may have failed at once, and closed the connection.
    if (!this.#over) this.#stream.start();
  }

  // From the stream

  onOpened(): void {
    this.#reply(encodeSocksReply('succeeded'));
  }

  onData(bytes: Uint8Array): boolean {
    return this.#over || this.#ports.streams.write(this.#id, bytes);
  }

  onWritable(): void {
    if (!this.#over) this.#ports.streams.resume(this.#id);
  }

  onResolved(answer: ResolvedMessage): void {
    // Of both kinds of address the older one, as C tor has it.
    const wanted = this.#kind === 'resolve-ptr' ? ['name'] : ['ipv4', 'ipv6'];
    const [address] = wanted.flatMap(kind => answer.addresses.filter(each => each.kind === kind));
    if (address === undefined) {
      this.#refuse('hostUnreachable');
      return;
    }
    this.#reply(encodeSocksResolved(address.kind, address.value));
    this.#finish();
  }

  onClosed(reason: number, fault?: Fault): void {
    if (this.#over) return;
    if (fault !== undefined) this.#ports.observer.log('info', 'stream-failed', { code: fault.code });
    if (this.#answered) this.#finish();
    else this.#refuse(socksReplyForEnd(reason));
  }

  #refuse(reply: SocksReplyName): void {
    this.#reply(encodeSocksReply(reply));
    this.#finish();
  }

  #reply(bytes: Uint8Array): void {
    if (this.#over || this.#answered) return;
    this.#answered = true;
    this.#ports.streams.write(this.#id, bytes);
  }

  /** Ends the connection once what was written has left; a program that does not end it too is waited for no longer. */
  #finish(): void {
    if (this.#over) return;
    this.#end();
    const { streams, clock } = this.#ports;
    streams.end(this.#id);
    // What the program still sends is read and dropped, so that its end is seen.
    streams.resume(this.#id);
    this.#timer = clock.after(streamLingerMsMax, () => this.#close());
  }

  #close(): void {
    this.#end();
    this.#forget();
    this.#ports.streams.close(this.#id);
  }

  #end(): void {
    this.#over = true;
    this.#timer?.();
  }
}

function goalOf(request: SocksRequest): StreamRequest['goal'] {
  if (request.kind === 'resolve') return { kind: 'resolve', name: request.host };
  if (request.kind === 'resolve-ptr') return { kind: 'resolve', name: reverseName(request.host) };
  const { host, port } = request;
  return { kind: 'connect', host, port };
}
