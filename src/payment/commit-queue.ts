import type { Answer, AskId, StorePort, StoreWrite } from '../ports.ts';

interface Batch {
  readonly writes: StoreWrite[];
  readonly stored: (() => void)[];
}

const emptyBatch = (): Batch => ({ writes: [], stored: [] });

/**
 * Durable writes of many sessions in few commits: one is under way, the next gathers meanwhile. What waits for a write
 * runs once it would survive a power cut, in the order of the calls.
 */
export class CommitQueue {
  /**
   * The store for those who write by themselves about the same records: after what gathers here. Else a claim could be
   * durable, and sent, before the payment that it claims, and a record that they drop could come back.
   */
  readonly store: StorePort;
  readonly #store: StorePort;
  readonly #newAsk: () => AskId;
  /** In the order in which they were begun. */
  readonly #underWay = new Map<AskId, Batch>();
  #gathering = emptyBatch();

  constructor(store: StorePort, newAsk: () => AskId) {
    this.#store = store;
    this.#newAsk = newAsk;
    this.store = {
      get: key => store.get(key),
      list: prefix => store.list(prefix),
      commit: (writes, ask) => {
        this.#flush();
        store.commit(writes, ask);
      },
    };
  }

  /** Runs `stored` later, after `writes` are durable; at once when there is nothing to write and nothing before it. */
  commit(writes: readonly StoreWrite[], stored: () => void): void {
    if (writes.length === 0 && this.#underWay.size === 0) {
      stored();
      return;
    }
    this.#gathering.writes.push(...writes);
    this.#gathering.stored.push(stored);
    this.#start();
  }

  /** True when the answer was for a commit of this queue. */
  onAnswer(answer: Answer): boolean {
    const batch = answer.kind === 'stored' ? this.#underWay.get(answer.ask) : undefined;
    if (batch === undefined) return false;
    this.#underWay.delete(answer.ask);
    for (const stored of batch.stored) stored();
    this.#start();
    return true;
  }

  #flush(): void {
    if (this.#gathering.writes.length > 0) this.#begin();
  }

  #start(): void {
    if (this.#underWay.size > 0 || this.#gathering.stored.length === 0) return;
    if (this.#gathering.writes.length > 0) {
      this.#begin();
      return;
    }
    const { stored } = this.#gathering;
    this.#gathering = emptyBatch();
    for (const run of stored) run();
  }

  #begin(): void {
    const batch = this.#gathering;
    this.#gathering = emptyBatch();
    const ask = this.#newAsk();
    this.#underWay.set(ask, batch);
    this.#store.commit(batch.writes, ask);
  }
}
