import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type SeededFile, seededChunks } from './seeded-bytes.ts';

const fileBytesMax = 10_000_000_000;

/** An HTTP server on the loopback address whose files are made up as they are asked for. */
export interface LabServer {
  readonly host: string;
  readonly port: number;
  /** Where a file lies: GET gives its bytes. */
  url(file: SeededFile): string;
  close(): Promise<void>;
}

export function labUrl(address: string, { seed, bytes }: SeededFile): string {
  return `http://${address}/${encodeURIComponent(seed)}/${bytes}`;
}

export async function startLabServer(port = 0): Promise<LabServer> {
  const server: Server = createServer(serve);
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', listening);
  });
  const address = server.address() as AddressInfo;
  return {
    host: '127.0.0.1',
    port: address.port,
    url: file => labUrl(`127.0.0.1:${address.port}`, file),
    close: () =>
      new Promise(closed => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const [, seed, size] = /^\/([^/?]+)\/(\d{1,11})$/.exec(request.url ?? '') ?? [];
  const bytes = Number(size);
  if (seed === undefined || bytes > fileBytesMax || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(404).end('ask for /SEED/BYTES\n');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const chunks = seededChunks({ seed: decodeURIComponent(seed), bytes });
  const pour = () => {
    // Not a loop over all, which would end them where it is left.
    for (let next = chunks.next(); next.done !== true; next = chunks.next())
      if (!response.write(next.value)) {
        response.once('drain', pour);
        return;
      }
    response.end();
  };
  pour();
}
