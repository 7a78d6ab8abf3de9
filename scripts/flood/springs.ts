import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server on loopback that counts who connects. */
export interface CountingServer {
  readonly port: number;
  /** Connections so far. */
  readonly connections: number;
  stop(): Promise<void>;
}

/** What it does with whoever connects: sends bytes for ever, closes the connection, or says nothing. */
export type Welcome = 'pours' | 'closes' | 'is silent';

/** @param host an address of this machine. @param port any when absent. */
export async function startCountingServer(
  welcome: Welcome,
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
    if (welcome === 'closes') socket.end();
    const pour = (): void => {
      while (socket.write(block));
    };
    socket.on('drain', pour);
    if (welcome === 'pours') pour();
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
