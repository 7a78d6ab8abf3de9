import type { Endpoint, StreamHandler, StreamId, StreamPort } from '../ports.ts';

/** Bytes of the answer; equal at every server, so that a reader can check what it got. */
export function bulkByte(at: number): number {
  return (at * 31 + (at >> 8) * 7) & 0xff;
}

const writeBytes = 16_384;
const bodyPeriod = 65_536;
/** One period of the body and a write more, so that every write is one view. */
const body = Uint8Array.from({ length: bodyPeriod + writeBytes }, (_, at) => bulkByte(at % bodyPeriod));

/** What stands at a place of the body: `length` bytes, or fewer when that is longer than a write. */
export function bulkBytes(at: number, length: number): Uint8Array {
  const start = at % bodyPeriod;
  return body.subarray(start, start + Math.min(length, writeBytes));
}

interface Download {
  readonly length: number;
  sent: number;
}

interface Visitor {
  readonly host: string;
  request: string;
}

/** A web server of the simulated internet: `GET /N` is answered with N bytes, as fast as the reader takes them. */
export class BulkServer implements StreamHandler {
  /** Body bytes written, by the address that asked for them. */
  readonly servedTo = new Map<string, number>();
  readonly #port: StreamPort;
  #visitors = new Map<StreamId, Visitor>();
  #downloads = new Map<StreamId, Download>();

  constructor(port: StreamPort) {
    this.#port = port;
  }

  get served(): number {
    return [...this.servedTo.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  onStreamAccepted(stream: StreamId, _listener: string, from: Endpoint): void {
    this.#visitors.set(stream, { host: from.host, request: '' });
  }

  onStreamBytes(stream: StreamId, bytes: Uint8Array): void {
    const visitor = this.#visitors.get(stream);
    if (visitor === undefined || this.#downloads.has(stream)) return;
    visitor.request += Buffer.from(bytes).toString('latin1');
    if (!visitor.request.includes('\r\n\r\n')) return;
    const length = Number(/^GET \/(\d+) /.exec(visitor.request)?.[1] ?? 0);
    this.#downloads.set(stream, { length, sent: 0 });
    const head = `HTTP/1.0 200 OK\r\nContent-Length: ${length}\r\n\r\n`;
    this.#port.write(stream, Buffer.from(head, 'latin1'));
    this.#send(stream);
  }

  onStreamWritable(stream: StreamId): void {
    this.#send(stream);
  }

  onStreamEnd(): void {}

  onStreamClosed(stream: StreamId): void {
    this.#visitors.delete(stream);
    this.#downloads.delete(stream);
  }

  onResolved(): void {}

  onConnected(): void {}

  #send(stream: StreamId): void {
    const download = this.#downloads.get(stream);
    const visitor = this.#visitors.get(stream);
    if (download === undefined || visitor === undefined) return;
    while (download.sent < download.length) {
      const bytes = bulkBytes(download.sent, download.length - download.sent);
      download.sent += bytes.length;
      this.servedTo.set(visitor.host, (this.servedTo.get(visitor.host) ?? 0) + bytes.length);
      if (!this.#port.write(stream, bytes)) return;
    }
    this.#downloads.delete(stream);
    this.#port.end(stream);
  }
}
