import { once } from 'node:events';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { RecordsPlace } from '../broker/broker-records.ts';
import { assert } from '../src/base/assert.ts';
import { toHex } from '../src/base/bytes.ts';
import type { BrokerDisk } from '../src/broker/broker-lab.fixture.ts';
import type { Answer, AskId, StorePort, StoreWrite } from '../src/ports.ts';
import type { SimProcess } from '../src/sim/sim-process.ts';

export interface DiskTask {
  /** Goes up with each word. */
  readonly signal: Int32Array;
  readonly port: MessagePort;
}

export type DiskOrder =
  | { readonly kind: 'open'; readonly place: RecordsPlace; readonly owner: string }
  | { readonly kind: 'close' }
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'list'; readonly prefix: string }
  | { readonly kind: 'commit'; readonly writes: readonly StoreWrite[]; readonly ask: AskId };

export interface DiskWord {
  readonly stored?: AskId;
  readonly value?: Uint8Array | undefined;
  readonly records?: ReturnType<StorePort['list']>;
  readonly failed?: string;
}

const wordMsMax = 20_000;
const commitMs = 1;

/**
 * Real records below a broker in virtual time, one place at a time: a thread of its own writes them, and virtual time stands
 * still until it has answered.
 */
export class DiskThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #signal = new Int32Array(new SharedArrayBuffer(4));
  readonly #stored = new Set<AskId>();

  private constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const workerData: DiskTask = { signal: this.#signal, port: port2 };
    const file = JSON.stringify(join(import.meta.dirname, 'disk-work.fixture.ts'));
    // A thread does not inherit how its process reads TypeScript.
    const start = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${file}, ${file}))`;
    this.#worker = new Worker(start, { eval: true, workerData, transferList: [port2] });
  }

  static async start(): Promise<DiskThread> {
    const thread = new DiskThread();
    await once(thread.#worker, 'message');
    return thread;
  }

  /** @param owner the public key that the broker signs under. */
  disk(place: RecordsPlace, owner: Uint8Array): BrokerDisk {
    return {
      open: (process, onAnswer) =>
        this.#open({ kind: 'open', place, owner: toHex(owner) }, process, onAnswer),
    };
  }

  #open(order: DiskOrder, process: SimProcess, onAnswer: (answer: Answer) => void): StorePort {
    this.#ask({ kind: 'close' });
    this.#stored.clear();
    this.#ask(order);
    return {
      get: key => this.#ask({ kind: 'get', key }).value,
      list: prefix => this.#ask({ kind: 'list', prefix }).records ?? [],
      commit: (writes, ask) => {
        this.#port.postMessage({ kind: 'commit', writes, ask } satisfies DiskOrder);
        process.host.clock.after(commitMs, () => {
          while (!this.#stored.delete(ask)) this.#hear();
          onAnswer({ kind: 'stored', ask });
        });
      },
    };
  }

  /** Gives the records back; they may be read by others then. */
  close(): void {
    this.#ask({ kind: 'close' });
  }

  async stop(): Promise<void> {
    this.#port.close();
    await this.#worker.terminate();
  }

  #ask(order: DiskOrder): DiskWord {
    this.#port.postMessage(order);
    for (;;) {
      const word = this.#hear();
      if (word.stored === undefined) return word;
    }
  }

  /** The next word, for which this thread stands still. */
  #hear(): DiskWord {
    for (;;) {
      const words = Atomics.load(this.#signal, 0);
      const heard = receiveMessageOnPort(this.#port);
      if (heard !== undefined) {
        const word = heard.message as DiskWord;
        if (word.failed !== undefined) throw new Error(word.failed);
        if (word.stored !== undefined) this.#stored.add(word.stored);
        return word;
      }
      assert(Atomics.wait(this.#signal, 0, words, wordMsMax) !== 'timed-out', 'the disk answers');
    }
  }
}
