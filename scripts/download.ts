import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { OperatorError } from '../src/base/fault.ts';

export interface Downloaded {
  readonly bytes: number;
  readonly sha256: string;
  readonly milliseconds: number;
}

/** GETs `url` over a connection that reaches its host, and hashes the body as it comes. */
export async function download(
  socket: Socket,
  url: string,
  onProgress: (bytes: number, of: number) => void,
  signal?: AbortSignal,
): Promise<Downloaded> {
  const { host, pathname, search } = new URL(url);
  const hash = createHash('sha256');
  signal?.throwIfAborted();
  const abort = () => socket.destroy(new Error('interrupted'));
  signal?.addEventListener('abort', abort, { once: true });
  const start = performance.now();
  let head: Buffer | undefined = Buffer.alloc(0);
  let expected = 0;
  let bytes = 0;
  try {
    socket.write(`GET ${pathname}${search} HTTP/1.0\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      let body = chunk;
      if (head !== undefined) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) continue;
        expected = lengthIn(head.toString('latin1', 0, end), url);
        body = head.subarray(end + 4);
        head = undefined;
      }
      hash.update(body);
      bytes += body.length;
      onProgress(bytes, expected);
      if (bytes >= expected) break;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    socket.destroy();
  }
  if (head !== undefined || bytes !== expected)
    throw new OperatorError('DOWNLOAD_SHORT', `${url}: ended after ${bytes} of ${expected} bytes`, 1);
  return { bytes, sha256: hash.digest('hex'), milliseconds: performance.now() - start };
}

function lengthIn(head: string, url: string): number {
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]);
  const length = Number(/^content-length: *(\d+) *$/im.exec(head)?.[1] ?? Number.NaN);
  if (status !== 200 || Number.isNaN(length))
    throw new OperatorError('DOWNLOAD_REFUSED', `${url}: the server answers ${status || 'nonsense'}`, 1);
  return length;
}
