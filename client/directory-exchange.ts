import { endReason } from '../src/cell/commands.ts';
import { type HttpResponse, HttpResponseReader } from '../src/directory/http-codec.ts';
import type { Cancel, Clock } from '../src/ports.ts';
import type { ClientStream, StreamUser } from '../src/stream/client-stream.ts';
import type { ManagedCircuit } from './managed-circuit.ts';

/** One request over a BEGIN_DIR stream, and its answer. */
export class DirectoryExchange implements StreamUser {
  readonly #request: Uint8Array;
  readonly #done: (response: HttpResponse | undefined) => void;
  readonly #reader = new HttpResponseReader();
  readonly #timer: Cancel;
  #stream: ClientStream | undefined;
  #over = false;

  /** @param done told once; undefined: there is no answer that can be read, or none within `msMax`. */
  constructor(
    request: Uint8Array,
    clock: Clock,
    msMax: number,
    done: (response: HttpResponse | undefined) => void,
  ) {
    this.#request = request;
    this.#done = done;
    this.#timer = clock.after(msMax, () => {
      this.#stream?.close(endReason.timeout);
      this.fail();
    });
  }

  open(circuit: ManagedCircuit, hop: number): void {
    if (this.#over) return;
    this.#stream = circuit.openStream({ kind: 'directory' }, this, hop);
    if (this.#stream === undefined) this.fail();
    else this.#stream.write(this.#request);
  }

  fail(): void {
    this.#finish(undefined);
  }

  onOpened(): void {}

  onData(bytes: Uint8Array): boolean {
    const answer = this.#reader.push(bytes);
    if (answer === undefined) return true;
    this.#stream?.close(endReason.done);
    this.#finish(answer.ok ? answer.value : undefined);
    return true;
  }

  onWritable(): void {}

  onResolved(): void {}

  onClosed(reason: number): void {
    const answer = reason === endReason.done ? this.#reader.end() : undefined;
    this.#finish(answer?.ok ? answer.value : undefined);
  }

  #finish(response: HttpResponse | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer();
    this.#done(response);
  }
}
