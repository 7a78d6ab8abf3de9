import type { StreamHandler, StreamId, StreamPort } from '../ports.ts';

/** Bytes of the answer; equal at every server, so that a reader can check what it got. */
export function bulkByte(at: number): number {
  return (at * 31 + (at >> 8) * 7) & 0xff;
}

const writeBytes = 16_384;
const bodyPeriod = 65_536;
/** One period of the body and a write more, so that every write is one view. */
const body = Uint8Array.from({ length: bodyPeriod + writeBytes }, (_, at) => bulkByte(at % bodyPeriod));

interface Download {
  readonly length: number;
  sent: number;
}

/** A web server of the simulated internet: `GET /N` is answered with N bytes, as fast as the reader takes them. */
export class BulkServer implements StreamHandler {
  served = 0;
  readonly #port: StreamPort;
  #requests = new Map<StreamId, string>();
  #downloads = new Map<StreamId, Download>();

  constructor(port: StreamPort) {
    this.#port = port;
  }

  onStreamAccepted(stream: StreamId): void {
    this.#requests.set(stream, '');
  }

  onStreamBytes(stream: StreamId, bytes: Uint8Array): void {
    const request = (this.#requests.get(stream) ?? '') + Buffer.from(bytes).toString('latin1');
    this.#requests.set(stream, request);
    if (!request.includes('\r\n\r\n') || this.#downloads.has(stream)) return;
    const length = Number(/^GET \/(\d+) /.exec(request)?.[1] ?? 0);
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
    this.#requests.delete(stream);
    this.#downloads.delete(stream);
  }

  onResolved(): void {}

  onConnected(): void {}

  #send(stream: StreamId): void {
    const download = this.#downloads.get(stream);
    if (download === undefined) return;
    while (download.sent < download.length) {
      const at = download.sent % bodyPeriod;
      const size = Math.min(writeBytes, download.length - download.sent);
      download.sent += size;
      this.served += size;
      if (!this.#port.write(stream, body.subarray(at, at + size))) return;
    }
    this.#downloads.delete(stream);
    this.#port.end(stream);
  }
}
