import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { assert } from '../base/assert.ts';
import { parseIp } from '../base/ip.ts';
import {
  socksConnectionsMax,
  stopLingerMsMax,
  streamLingerMsMax,
  streamWriteBytesHigh,
} from '../base/limits.ts';
import type { AskId, Endpoint, StreamHandler, StreamId, StreamPort } from '../ports.ts';
import { NameLookup, type NameLookupOptions } from './name-lookup.ts';
import { BlockPool, PortSocket, type SocketSource } from './port-socket.ts';
import { boundEndpoint, closeServer, listenAt } from './server-socket.ts';

const writeTerms = { bytesHigh: streamWriteBytesHigh };

/** The connections of one node that are no links, over TCP and over unix sockets of its own, and its name lookups. */
export class TcpStreams implements StreamPort {
  readonly #names: NameLookup;
  readonly #pool = new BlockPool();
  readonly #servers = new Set<Server>();
  readonly #streams = new Map<StreamId, PortSocket>();
  /** Streams that hold a socket, closed ones that still send included. */
  readonly #held = new Set<PortSocket>();
  #whenEmpty: (() => void) | undefined;
  #stopped = false;
  #handler: StreamHandler | undefined;
  #lastId = 0;
  #lastAsk = 0;

  constructor(names: NameLookupOptions = {}) {
    this.#names = new NameLookup(names);
  }

  /** The core that hears of streams; set before any is opened. */
  attach(handler: StreamHandler): void {
    this.#handler = handler;
  }

  /**
   * Takes connections at an address; port 0 takes any free one. Resolves to what was bound, rejects when it cannot be.
   * @param listener the name under which the core hears of them.
   */
  async listen(at: Endpoint, listener: string): Promise<Endpoint> {
    const server = this.#newServer((socket, from) => this.#accept(socket, from, listener));
    await listenAt(server, at);
    this.#servers.add(server);
    return boundEndpoint(server);
  }

  /**
   * Takes connections of programs of the same user at a unix socket. A file that a process left there when it died gives
   * way: the caller holds the lock of its folder. Rejects when the path cannot be bound.
   */
  async listenAtPath(path: string, listener: string): Promise<void> {
    rmSync(path, { force: true });
    const server = this.#newServer(socket => this.#accept(socket, { host: path, port: 0 }, listener));
    // The file is made inside the call: at no moment may others connect to it.
    const before = process.umask(0o177);
    const listening = listenAt(server, { path });
    process.umask(before);
    await listening;
    this.#servers.add(server);
  }

  resolve(name: string, reverse: boolean): AskId {
    this.#lastAsk += 1;
    const ask = this.#lastAsk;
    void this.#names.find(name, reverse).then(found => {
      if (!this.#stopped) this.#to.onResolved(ask, found);
    });
    return ask;
  }

  connect(to: Endpoint): StreamId {
    assert(parseIp(to.host) !== undefined, 'connect is given an IP literal');
    return this.#add(onread => {
      const id = this.#lastId;
      const socket = connect({ host: to.host, port: to.port, allowHalfOpen: true, onread });
      return socket.once('connect', () => {
        if (this.#streams.has(id)) this.#to.onConnected(id, to);
      });
    });
  }

  write(stream: StreamId, bytes: Uint8Array): boolean {
    return this.#find(stream)?.write(bytes) ?? true;
  }

  pause(stream: StreamId): void {
    this.#find(stream)?.pause();
  }

  resume(stream: StreamId): void {
    this.#find(stream)?.resume();
  }

  end(stream: StreamId): void {
    this.#find(stream)?.end();
  }

  close(stream: StreamId): void {
    this.#find(stream)?.close(streamLingerMsMax);
    this.#streams.delete(stream);
  }

  /** Takes no more streams, lets each send its last bytes for a moment, and ends with no socket left. The core hears nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#names.stop();
    const closing = [...this.#servers].map(closeServer);
    this.#streams.clear();
    const empty = new Promise<void>(done => {
      this.#whenEmpty = done;
    });
    for (const output of this.#held) output.close(stopLingerMsMax);
    this.#tellIfEmpty();
    await empty;
    await Promise.all(closing);
  }

  get #to(): StreamHandler {
    assert(this.#handler !== undefined, 'a stream handler is attached');
    return this.#handler;
  }

  #newServer(accept: (socket: Socket, from: Endpoint) => void): Server {
    const server = createServer({ allowHalfOpen: true });
    // Who listens keeps to a cap of its own; those that gave way linger for a moment.
    server.maxConnections = 2 * socksConnectionsMax;
    server.on('connection', socket =>
      accept(socket, { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }),
    );
    return server;
  }

  #accept(socket: Socket, from: Endpoint, listener: string): void {
    if (this.#handler === undefined || this.#stopped || from.host === '') socket.destroy();
    else this.#to.onStreamAccepted(this.#add(socket), listener, from);
  }

  #add(source: SocketSource<Socket>): StreamId {
    this.#lastId += 1;
    const id = this.#lastId;
    const output = new PortSocket(source, this.#pool, writeTerms, {
      bytes: bytes => this.#to.onStreamBytes(id, bytes),
      writable: () => this.#to.onStreamWritable(id),
      ended: () => this.#to.onStreamEnd(id),
      closed: why => {
        if (this.#streams.delete(id)) this.#to.onStreamClosed(id, why);
      },
      gone: () => {
        this.#held.delete(output);
        this.#tellIfEmpty();
      },
    });
    this.#held.add(output);
    this.#streams.set(id, output);
    return id;
  }

  /** Undefined: closed by either side; a call that crosses the news of it does nothing. */
  #find(stream: StreamId): PortSocket | undefined {
    assert(stream > 0 && stream <= this.#lastId, 'a stream that this port gave out');
    return this.#streams.get(stream);
  }

  #tellIfEmpty(): void {
    if (this.#held.size === 0) this.#whenEmpty?.();
  }
}
