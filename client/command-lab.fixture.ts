import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandOutput } from './command-output.ts';

/** What every call is answered with but that for a stream. */
const reported = {
  address: 'bcrt1q',
  id: 1,
  bytesIn: 5,
  bytesOut: 4,
  hops: [{ relay: 'exit1', paidMsat: '2000', payments: 3, priceMsat: '1' }],
};

/** A client in the place of a real one: every circuit is built at once, every stream answered with the same bytes. */
export class StandInClient {
  readonly folder = mkdtempSync(join(tmpdir(), 'naulon-command-test-'));
  readonly control = join(this.folder, 'control');
  /** Methods in the order in which they were called. */
  readonly called: string[] = [];
  /** What every stream is answered with. */
  answer = '';
  /** Whether a stream ends with its answer. */
  ends = true;
  /** A stream was asked something. */
  onAsked = (): void => {};
  readonly #sockets = new Set<Socket>();
  readonly #commands = createServer(socket => this.#command(socket));
  readonly #socks = createServer(socket => this.#stream(socket));

  async start(): Promise<this> {
    await new Promise<void>(done => this.#commands.listen(this.control, done));
    await new Promise<void>(done => this.#socks.listen(0, '127.0.0.1', done));
    return this;
  }

  /** As its process would. */
  die(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.die();
    for (const server of [this.#commands, this.#socks] satisfies Server[])
      await new Promise(done => server.close(done));
    rmSync(this.folder, { recursive: true });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
  }

  #command(socket: Socket): void {
    this.#keep(socket);
    const socks = `127.0.0.1:${(this.#socks.address() as AddressInfo).port}`;
    socket.on('data', chunk => {
      for (const line of String(chunk).trim().split('\n')) {
        const { id, method } = JSON.parse(line);
        this.called.push(method);
        const result = method === 'connect-stream' ? { socks, user: 'u', password: 'p' } : reported;
        socket.write(`${JSON.stringify({ id, result })}\n`);
      }
    });
  }

  /** spec: RFC 1928, RFC 1929; a message at a time is what our own side sends. */
  #stream(socket: Socket): void {
    this.#keep(socket);
    const replies = [
      [5, 2],
      [1, 0],
      [5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    ];
    socket.on('data', () => {
      const reply = replies.shift();
      if (reply !== undefined) {
        socket.write(Uint8Array.from(reply));
        return;
      }
      socket.write(this.answer, () => this.onAsked());
      if (this.ends) socket.end();
    });
  }
}

/** Where what a command writes is not looked at. */
export const unread: CommandOutput = {
  json: false,
  live: false,
  print: () => {},
  object: () => {},
  say: () => {},
  redraw: () => {},
};
