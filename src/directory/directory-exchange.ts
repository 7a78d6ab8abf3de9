import type { Result } from '../base/fault.ts';
import { directoryRequestMsMax, directoryStallMsMax } from '../base/limits.ts';
import { endReason } from '../cell/commands.ts';
import type { Cancel, Clock } from '../ports.ts';
import type { DirectoryAsker, DirectoryRequest } from '../stream/directory-stream.ts';
import { type EncodedAnswer, type HttpFault, type HttpRequest, HttpRequestReader } from './http-codec.ts';

export interface DirectoryExchangeOptions {
  readonly asker: DirectoryAsker;
  readonly clock: Clock;
  /** The request is whole, or is none. Called once; the answer is given then or later. */
  readonly onRequest: (request: Result<HttpRequest, HttpFault>) => void;
  /** So many bytes wait here, for this asker alone. */
  readonly onHeld?: (bytes: number) => void;
}

/** One request over a circuit and its answer: each byte is read once, and what takes too long is given up. */
export class DirectoryExchange implements DirectoryRequest {
  readonly #options: DirectoryExchangeOptions;
  readonly #reader = new HttpRequestReader();
  #requestBytes = 0;
  /** The answer's body waits for others too, or anyway. */
  #shared = false;
  /** Monotonic time at which the asker last took some of the answer. */
  #tookMs = 0;
  #stopped = false;
  #cancel: Cancel;

  constructor(options: DirectoryExchangeOptions) {
    this.#options = options;
    this.#cancel = options.clock.after(directoryRequestMsMax, () => options.asker.end(endReason.timeout));
  }

  onBytes(bytes: Uint8Array): boolean {
    const { onRequest, onHeld } = this.#options;
    const request = this.#reader.push(bytes);
    this.#requestBytes += bytes.length;
    onHeld?.(request === undefined ? this.#requestBytes : 0);
    if (request === undefined) return true;
    this.#cancel();
    onRequest(request);
    return false;
  }

  answer({ head, body, shared }: EncodedAnswer): void {
    if (this.#stopped) return;
    this.#shared = shared;
    this.#watchStall(directoryStallMsMax);
    this.onLeft(head.length + body.length);
    this.#options.asker.answer(head, body);
  }

  onLeft(bytes: number): void {
    const { clock, onHeld } = this.#options;
    this.#tookMs = clock.monotonicMs();
    if (!this.#shared) onHeld?.(bytes);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#options.onHeld?.(0);
  }

  /** As C tor, whose directory server gives up an answer of which nothing was taken for so long (TestingDirConnectionMaxStall). */
  #watchStall(ms: number): void {
    const { clock, asker } = this.#options;
    this.#cancel = clock.after(ms, () => {
      const leftMs = this.#tookMs + directoryStallMsMax - clock.monotonicMs();
      if (leftMs <= 0) asker.end(endReason.timeout);
      else this.#watchStall(leftMs);
    });
  }
}
