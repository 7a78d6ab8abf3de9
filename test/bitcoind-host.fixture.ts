import { setTimeout as pause } from 'node:timers/promises';
import { BitcoindChain } from '../src/node-io/bitcoind-chain.ts';
import { noParties } from '../src/node-io/no-parties.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import type { SchemeHost } from '../src/payment/scheme.ts';
import type { AnswerHandler, AskId, StorePort, StoreWrite } from '../src/ports.ts';
import type { TestHost } from '../src/schemes/bitcoin-channel/test-world.ts';

/** Records in memory, durable after a turn of the event loop. */
class MemoryStore implements StorePort {
  readonly durable: Map<string, Uint8Array>;
  handler: AnswerHandler | undefined;
  dead = false;

  constructor(durable = new Map<string, Uint8Array>()) {
    this.durable = durable;
  }

  get(key: string): Uint8Array | undefined {
    return this.durable.get(key)?.slice();
  }

  list(prefix: string): readonly (readonly [string, Uint8Array])[] {
    return [...this.durable].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  commit(writes: readonly StoreWrite[], ask: AskId): void {
    const kept = writes.map(({ key, value }) => ({ key, value: value?.slice() }));
    setImmediate(() => {
      if (this.dead) return;
      for (const { key, value } of kept) {
        if (value === undefined) this.durable.delete(key);
        else this.durable.set(key, value);
      }
      this.handler?.onAnswer({ kind: 'stored', ask });
    });
  }
}

/** How to reach a bitcoind. */
interface ChainAccess {
  readonly rpcUrl: string;
  readonly cookieFile: string;
}

/** One side of a scheme in this process: real time, a real bitcoind, records in memory. */
export class BitcoindHost implements TestHost {
  readonly host: SchemeHost;
  readonly store: MemoryStore;
  /** What the scheme and the chain complained of. */
  readonly faults: string[] = [];
  readonly #access: ChainAccess;
  readonly #chain: BitcoindChain;
  readonly #clock = new SystemClock();
  #waiters: (() => void)[] = [];

  constructor(access: ChainAccess, store = new MemoryStore()) {
    this.#access = access;
    this.store = store;
    const observer: SchemeHost['observer'] = {
      log: (level, event, fields) => {
        if (level !== 'debug') this.faults.push(`${event} ${JSON.stringify(fields)}`);
      },
      count: () => {},
    };
    this.#chain = new BitcoindChain({ url: access.rpcUrl, cookieFile: access.cookieFile, observer });
    let asks = 0;
    this.host = {
      clock: this.#clock,
      entropy: new SystemEntropy(),
      chain: this.#chain,
      parties: noParties,
      store,
      observer,
      newAsk: () => ++asks,
    };
  }

  attach(handler: AnswerHandler): void {
    const told: AnswerHandler = {
      onAnswer: answer => {
        handler.onAnswer(answer);
        this.#wake();
      },
      onChain: event => {
        handler.onChain(event);
        this.#wake();
      },
    };
    this.store.handler = told;
    this.#chain.attach(told);
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  turn<T>(run: () => T): T {
    return run();
  }

  /** Looks at the condition after each event; waits as long as events may come. */
  async until(done: () => boolean, withinMs = 20_000): Promise<boolean> {
    const giveUp = new AbortController();
    const late = pause(withinMs, 'late' as const, { signal: giveUp.signal, ref: false }).catch(
      () => 'late' as const,
    );
    while (!done()) {
      const news = new Promise<'news'>(resolve => {
        this.#waiters.push(() => resolve('news'));
      });
      if ((await Promise.race([news, late])) === 'late') break;
    }
    giveUp.abort();
    return done();
  }

  async stop(): Promise<void> {
    this.store.dead = true;
    this.#clock.stop();
    await this.#chain.stop();
  }

  restart(): BitcoindHost {
    return new BitcoindHost(this.#access, new MemoryStore(this.store.durable));
  }
}
