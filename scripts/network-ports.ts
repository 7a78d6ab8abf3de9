import { createServer } from 'node:net';

/** Tor's own port, where programs look for a SOCKS proxy. */
const torSocksPort = 9050;

/** Where programs look for a Tor to control. */
const torControlPort = 9051;

/** Tor's own ports where nobody has them; otherwise any. */
export async function torPorts(): Promise<ClientPorts> {
  const [socks, control] = await Promise.all([torSocksPort, torControlPort].map(portOrAny));
  return { socks, control };
}

/** The ports of a network's client. */
export interface ClientPorts {
  readonly socks: number | 'auto';
  readonly control: number | 'auto';
}

async function portOrAny(port: number): Promise<number | 'auto'> {
  return (await portIsFree(port)) ? port : 'auto';
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
