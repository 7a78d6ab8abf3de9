import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A request of one cell: it and its answer fit one DATA cell each. */
const request = Buffer.alloc(256, 7);
/** So that the requests themselves are no load. */
const pauseMs = 5;

/** A TCP server that sends back what it gets. */
export async function startEchoServer(): Promise<{
  readonly address: string;
  stop(): Promise<void>;
}> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', bytes => socket.write(bytes));
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

/** Sends a request, waits for all of its answer, and so on for `ms`: the milliseconds that each took; at least one. */
export async function roundTrips(socket: Socket, ms: number, signal: AbortSignal): Promise<number[]> {
  socket.setNoDelay(true);
  const took: number[] = [];
  for (const started = performance.now(); took.length === 0 || performance.now() - started < ms; ) {
    signal.throwIfAborted();
    const sent = performance.now();
    socket.write(request);
    for (let left = request.length; left > 0; ) {
      const answer = socket.read() as Buffer | null;
      if (answer === null) await once(socket, 'readable', { signal });
      else left -= answer.length;
    }
    took.push(performance.now() - sent);
    await pause(pauseMs);
  }
  return took;
}
