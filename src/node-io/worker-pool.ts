import { parentPort, Worker } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import type { AskId, ComputeHandler, ComputePort } from '../ports.ts';

/** What goes to a thread and comes back from it: many at a time, since each message costs as much as its work. */
type Batch = readonly { readonly ask: AskId; readonly bytes: Uint8Array }[];

interface Thread {
  readonly worker: Worker;
  /** Asked and not answered. */
  readonly asks: Set<AskId>;
}

const nothing = new Uint8Array(0);

/** Threads that do work for a core. They are started when there is work for the first time. */
export class WorkerPool implements ComputePort {
  readonly #file: URL;
  readonly #data: unknown;
  readonly #threads: number;
  #handler: ComputeHandler | undefined;
  #started: Thread[] | undefined;
  #gathered: { ask: AskId; bytes: Uint8Array }[] = [];
  #stopped = false;

  /** @param file a module that calls serveComputations. @param data its workerData. @param threads at least one. */
  constructor(file: URL, data: unknown, threads: number) {
    assert(threads > 0, 'a pool has threads');
    this.#file = file;
    this.#data = data;
    this.#threads = threads;
  }

  /** The core that hears of results; set before any work. */
  attach(handler: ComputeHandler): void {
    this.#handler = handler;
  }

  compute(work: Uint8Array, ask: AskId): void {
    if (this.#gathered.length === 0) setImmediate(() => this.#send());
    this.#gathered.push({ ask, bytes: work.slice() });
  }

  /** Ends all threads; what they had at hand is answered no more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all((this.#started ?? []).map(({ worker }) => worker.terminate()));
  }

  #send(): void {
    if (this.#stopped) return;
    this.#started ??= Array.from({ length: this.#threads }, () => this.#start());
    const gathered = this.#gathered;
    this.#gathered = [];
    const threads = this.#started;
    if (threads.length === 0) {
      this.#hear(gathered.map(({ ask }) => ({ ask, bytes: nothing })));
      return;
    }
    const share = Math.ceil(gathered.length / threads.length);
    for (const thread of [...threads].sort((a, b) => a.asks.size - b.asks.size)) {
      const batch = gathered.splice(0, share);
      if (batch.length === 0) return;
      for (const { ask } of batch) thread.asks.add(ask);
      thread.worker.postMessage(batch);
    }
  }

  #start(): Thread {
    const worker = new Worker(this.#file, { workerData: this.#data });
    const thread: Thread = { worker, asks: new Set() };
    worker.unref();
    worker.on('message', (batch: Batch) => {
      for (const { ask } of batch) thread.asks.delete(ask);
      this.#hear(batch);
    });
    // A thread that fails is not replaced: its work goes back to the core, and so does what would have come.
    worker.on('error', () => {});
    worker.on('exit', () => {
      this.#started = this.#started?.filter(other => other !== thread);
      this.#hear([...thread.asks].map(ask => ({ ask, bytes: nothing })));
    });
    return thread;
  }

  #hear(batch: Batch): void {
    if (this.#stopped) return;
    for (const { ask, bytes } of batch) this.#handler?.onComputed(ask, bytes);
  }
}

/** In a thread of a pool: does what it is given. */
export function serveComputations(compute: (work: Uint8Array) => Uint8Array): void {
  assert(parentPort !== null, 'a thread of a pool');
  const port = parentPort;
  port.on('message', (batch: Batch) => {
    port.postMessage(batch.map(({ ask, bytes }) => ({ ask, bytes: compute(bytes) })));
  });
}
