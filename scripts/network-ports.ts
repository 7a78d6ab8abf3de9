import { createServer } from 'node:net';

/** Tor's own port, where programs look for a SOCKS proxy. */
const torSocksPort = 9050;

/** Tor's own port when nobody has it; otherwise any. */
export async function socksPort(): Promise<number | 'auto'> {
  return (await portIsFree(torSocksPort)) ? torSocksPort : 'auto';
}

/** Whether a TCP port of the loopback address can be listened on now. */
export function portIsFree(port: number): Promise<boolean> {
  return new Promise(answer => {
    const server = createServer();
    server.once('error', () => answer(false));
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)));
  });
}

/** HOST:PORT apart. */
export function splitAddress(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}
