import { createHash } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { seededChunks } from '../../scripts/seeded-bytes.ts';

/** A server on the loopback address whose connections a test reads and writes, or leaves alone, as it likes. */
export class FarEnd {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: Socket[] = [];
  readonly #wanting: ((socket: Socket) => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', socket => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      const wanting = this.#wanting.shift();
      if (wanting === undefined) this.#waiting.push(socket);
      else wanting(socket);
    });
  }

  static async listen(): Promise<FarEnd> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    await new Promise<void>((listening, failed) => {
      server.once('error', failed).listen(0, '127.0.0.1', listening);
    });
    return new FarEnd(server);
  }

  /** The next connection; nothing is read of it yet. */
  async accept(): Promise<Socket> {
    return this.#waiting.shift() ?? (await new Promise(taken => this.#wanting.push(taken)));
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise(closed => this.#server.close(() => closed()));
  }
}

export interface Transferred {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/** What is sent on one connection, and the hash of it. */
export class Sending {
  readonly #socket: Socket;
  readonly #chunks = seededChunks({ seed: 'sending', bytes: 10_000_000_000 });
  readonly #hash = createHash('sha256');
  #bytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** So many bytes at least, whether or not they are taken. */
  put(bytes: number): void {
    for (let left = bytes; left > 0; ) {
      const { value: chunk } = this.#chunks.next();
      if (chunk === undefined) throw new Error('too much is sent');
      this.#hash.update(chunk);
      this.#socket.write(chunk);
      this.#bytes += chunk.length;
      left -= chunk.length;
    }
  }

  /** Waits until nothing of it moves any more. Returns the bytes that are not taken. */
  async standstill(): Promise<number> {
    for (let before = -1; ; ) {
      const { writableLength } = this.#socket;
      if (writableLength === before) return writableLength;
      before = writableLength;
      await pause(1_000);
    }
  }

  /** No more comes: says what all of it was. */
  end(): Transferred {
    this.#socket.end();
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }
}

/** Reads a connection to its end. Its other half ends once `bytes` came: a client need not wait for an answer then. */
export async function receive(socket: Socket, bytes: number): Promise<Transferred> {
  const hash = createHash('sha256');
  let got = 0;
  for await (const chunk of socket) {
    hash.update(chunk);
    got += chunk.length;
    if (got === bytes) socket.end();
  }
  return { bytes: got, sha256: hash.digest('hex') };
}
