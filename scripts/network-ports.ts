import { createServer, type Server } from 'node:net';
import { portIsFree } from './doctor.ts';

/** So many TCP ports of the loopback address, all free at one moment and all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = servers.map(server => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map(server => new Promise(closed => server.close(closed))));
  return ports;
}

/** Tor's own port when nobody has it, since that is where programs look; otherwise `other`. */
export async function socksPort(other: number): Promise<number> {
  return (await portIsFree(9050)) ? 9050 : other;
}

function listenAnywhere(): Promise<Server> {
  return new Promise((listening, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => listening(server));
  });
}

/** HOST:PORT apart. */
export function splitAddress(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}
