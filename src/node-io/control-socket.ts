import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { controlConnectionsMax, stopLingerMsMax, streamWriteBytesHigh } from '../base/limits.ts';
import type { CloseReason, StreamId } from '../ports.ts';
import { BlockPool, PortSocket } from './port-socket.ts';
import { closeServer } from './server-socket.ts';

/** Who hears of the connections of a control socket. */
export interface ControlHandler {
  onAccepted(stream: StreamId): void;
  onBytes(stream: StreamId, bytes: Uint8Array): void;
  onWritable(stream: StreamId): void;
  onEnd(stream: StreamId): void;
  onClosed(stream: StreamId, why: CloseReason): void;
}

/** A unix socket for programs of the same user: its file is readable and writable by nobody else. */
export class ControlSocket {
  readonly #server: Server;
  readonly #pool = new BlockPool();
  readonly #streams = new Map<StreamId, PortSocket>();
  #handler: ControlHandler | undefined;
  #lastId = 0;

  constructor() {
    this.#server = createServer({ allowHalfOpen: true }, socket => this.#accept(socket));
    this.#server.maxConnections = controlConnectionsMax;
  }

  attach(handler: ControlHandler): void {
    this.#handler = handler;
  }

  /** Listens at `path`, which a process that died may have left behind: the caller holds the lock of its folder. */
  listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    return new Promise((listening, failed) => {
      this.#server.once('error', failed);
      this.#server.listen({ path }, () => {
        chmodSync(path, 0o600);
        listening();
      });
    });
  }

  write(stream: StreamId, bytes: Uint8Array): boolean {
    return this.#streams.get(stream)?.write(bytes) ?? true;
  }

  pause(stream: StreamId): void {
    this.#streams.get(stream)?.pause();
  }

  resume(stream: StreamId): void {
    this.#streams.get(stream)?.resume();
  }

  end(stream: StreamId): void {
    this.#streams.get(stream)?.end();
  }

  close(stream: StreamId): void {
    this.#streams.get(stream)?.close(stopLingerMsMax);
    this.#streams.delete(stream);
  }

  /** Ends all connections, and removes the file. */
  async stop(): Promise<void> {
    const closed = closeServer(this.#server);
    for (const stream of [...this.#streams.keys()]) this.close(stream);
    await closed;
  }

  #accept(socket: Socket): void {
    this.#lastId += 1;
    const id = this.#lastId;
    const connection = new PortSocket(socket, this.#pool, streamWriteBytesHigh, {
      bytes: bytes => this.#handler?.onBytes(id, bytes),
      writable: () => this.#handler?.onWritable(id),
      ended: () => this.#handler?.onEnd(id),
      closed: why => {
        if (this.#streams.delete(id)) this.#handler?.onClosed(id, why);
      },
      gone: () => {},
    });
    this.#streams.set(id, connection);
    this.#handler?.onAccepted(id);
  }
}
