import { equalBytes } from '../../src/base/bytes.ts';
import type { CloseReason, Endpoint, StreamHandler, StreamId } from '../../src/ports.ts';
import { bulkBytes } from '../../src/sim/bulk-server.ts';
import type { SimHost } from '../../src/sim/sim-host.ts';

/** One download over SOCKS, and how it went. */
export interface Download {
  readonly proxy: Endpoint;
  readonly host: string;
  readonly port: number;
  readonly bytes: number;
  received: number;
  /** Bytes that were not what the bulk server sends at their place. */
  wrong: number;
  state: 'running' | 'complete' | 'failed';
  /** Why it failed: the SOCKS reply code or how the connection ended. */
  why: string;
  startedUs: number;
  endedUs: number;
}

interface Running {
  readonly download: Download;
  phase: 'greeting' | 'connecting' | 'header' | 'body';
  buffered: Buffer;
}

/** spec: rfc1928 section 4: CONNECT to a domain name. */
function connectRequest(host: string, port: number): Uint8Array {
  const name = Buffer.from(host, 'latin1');
  return Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), name, Buffer.from([port >> 8, port & 255])]);
}

const replyBytes = 10;

/** Programs that use clients' SOCKS ports: all live on one host, each download is a connection of its own. */
export class SocksUsers implements StreamHandler {
  readonly downloads: Download[] = [];
  finished = 0;
  readonly #host: SimHost;
  #running = new Map<StreamId, Running>();

  constructor(host: SimHost) {
    this.#host = host;
    host.streams.attach(this);
  }

  get complete(): number {
    return this.downloads.filter(({ state }) => state === 'complete').length;
  }

  /** Fetches `bytes` bytes from the bulk server at host:port through the client whose SOCKS port is `proxy`. */
  fetch(proxy: Endpoint, host: string, port: number, bytes: number): Download {
    const startedUs = this.#host.node.world.nowUs;
    const outcome = { received: 0, wrong: 0, state: 'running', why: '', startedUs, endedUs: 0 } as const;
    const download: Download = { proxy, host, port, bytes, ...outcome };
    this.downloads.push(download);
    this.#host.node.turn(() => {
      const stream = this.#host.streams.connect(proxy);
      this.#running.set(stream, { download, phase: 'greeting', buffered: Buffer.alloc(0) });
    });
    return download;
  }

  /** The program goes away in the middle of its download. */
  hangUp(download: Download): void {
    for (const [stream, running] of this.#running) {
      if (running.download !== download) continue;
      this.#host.node.turn(() => this.#finish(stream, 'hung up'));
      return;
    }
  }

  onConnected(stream: StreamId): void {
    this.#host.streams.write(stream, Uint8Array.of(5, 1, 0));
  }

  onStreamBytes(stream: StreamId, bytes: Uint8Array): void {
    const running = this.#running.get(stream);
    if (running === undefined) return;
    if (running.phase === 'body') {
      this.#body(stream, running.download, bytes);
      return;
    }
    running.buffered = Buffer.concat([running.buffered, bytes]);
    this.#converse(stream, running);
  }

  onStreamEnd(stream: StreamId): void {
    this.#finish(stream, 'ended early');
  }

  onStreamClosed(stream: StreamId, why: CloseReason): void {
    this.#finish(stream, `closed ${why}`);
  }

  onResolved(): void {}

  onStreamAccepted(): void {}

  onStreamWritable(): void {}

  #converse(stream: StreamId, running: Running): void {
    const { download } = running;
    if (running.phase === 'greeting' && running.buffered.length >= 2) {
      running.buffered = running.buffered.subarray(2);
      running.phase = 'connecting';
      this.#host.streams.write(stream, connectRequest(download.host, download.port));
    }
    if (running.phase === 'connecting' && running.buffered.length >= replyBytes) {
      const status = running.buffered[1];
      if (status !== 0) {
        this.#finish(stream, `SOCKS reply ${status}`);
        return;
      }
      running.buffered = running.buffered.subarray(replyBytes);
      running.phase = 'header';
      this.#host.streams.write(stream, Buffer.from(`GET /${download.bytes} HTTP/1.0\r\n\r\n`, 'latin1'));
    }
    if (running.phase === 'header') {
      const end = running.buffered.indexOf('\r\n\r\n');
      if (end < 0) return;
      running.phase = 'body';
      this.#body(stream, download, running.buffered.subarray(end + 4));
    }
  }

  #body(stream: StreamId, download: Download, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const right = bulkBytes(download.received, bytes.length - at);
      const got = bytes.subarray(at, at + right.length);
      if (!equalBytes(got, right)) download.wrong += got.filter((byte, i) => byte !== right[i]).length;
      download.received += got.length;
      at += got.length;
    }
    if (download.received >= download.bytes) this.#finish(stream, 'too few bytes');
  }

  #finish(stream: StreamId, why: string): void {
    const running = this.#running.get(stream);
    if (running === undefined) return;
    const { download } = running;
    this.#running.delete(stream);
    this.finished += 1;
    const whole = running.phase === 'body' && download.received === download.bytes && download.wrong === 0;
    download.state = whole ? 'complete' : 'failed';
    download.why = whole ? '' : why;
    download.endedUs = this.#host.node.world.nowUs;
    this.#host.streams.close(stream);
  }
}
