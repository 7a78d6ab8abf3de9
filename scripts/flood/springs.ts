import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server on loopback that counts who connects. */
export interface CountingServer {
  readonly port: number;
  /** Connections so far. */
  readonly connections: number;
  stop(): Promise<void>;
}

/**
 * @param pours it sends bytes for ever; otherwise it closes each connection.
 * @param host an address of this machine. @param port any when absent.
 */
export async function startCountingServer(
  pours: boolean,
  host = '127.0.0.1',
  port = 0,
): Promise<CountingServer> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const block = Buffer.alloc(65_536, 0x5a);
  const server = createServer(socket => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    socket.resume();
    if (!pours) socket.end();
    const pour = (): void => {
      while (socket.write(block));
    };
    socket.on('drain', pour);
    if (pours) pour();
  });
  server.listen({ port, host, backlog: 4_096 });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    stop: () =>
      new Promise(stopped => {
        server.close(() => stopped());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
