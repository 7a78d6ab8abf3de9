import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connectOver } from '../../bench/traffic.ts';

/** A server sends what is due so often … */
const tickMs = 20;
/** … and what it could not send for longer than this is never sent: a load that was held up does not make up for it. */
const arrearsMsMax = 500;

/** A server on loopback that sends bytes at a steady rate to whoever connects. */
export interface PacedServer {
  readonly address: string;
  stop(): Promise<void>;
}

export async function startPacedServer(bytesPerSecond: number): Promise<PacedServer> {
  const sockets = new Set<Socket>();
  const block = Buffer.alloc(65_536, 0x5a);
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket);
    let due = 0;
    let last = performance.now();
    const tick = setInterval(() => {
      const now = performance.now();
      due = Math.min(due + ((now - last) * bytesPerSecond) / 1_000, (bytesPerSecond * arrearsMsMax) / 1_000);
      last = now;
      while (due >= 1 && socket.writableLength === 0) {
        const bytes = Math.min(Math.floor(due), block.length);
        socket.write(block.subarray(0, bytes));
        due -= bytes;
      }
    }, tickMs);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clearInterval(tick);
      sockets.delete(socket);
    });
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise(stopped => {
        server.close(() => stopped());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** One stream of an honest client that reads from such a server. */
export class PacedStream {
  bytes = 0;
  /** Its connection ended. */
  ended = false;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
    });
    const end = () => {
      this.ended = true;
    };
    socket.on('error', end).on('end', end).on('close', end);
  }

  /** Over the circuit of that user. */
  static async open(socks: string, user: string, to: string): Promise<PacedStream> {
    return new PacedStream(await connectOver(socks, user, to));
  }

  close(): void {
    this.#socket.destroy();
  }
}
