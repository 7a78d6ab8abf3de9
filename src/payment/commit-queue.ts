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
  readonly #store: StorePort;
  readonly #newAsk: () => AskId;
  #underWay: { readonly ask: AskId; readonly batch: Batch } | undefined;
  #gathering = emptyBatch();

  constructor(store: StorePort, newAsk: () => AskId) {
    this.#store = store;
    this.#newAsk = newAsk;
  }

  /** Runs `stored` later, after `writes` are durable; at once when there is nothing to write and nothing before it. */
  commit(writes: readonly StoreWrite[], stored: () => void): void {
    if (writes.length === 0 && this.#underWay === undefined) {
      stored();
      return;
    }
    this.#gathering.writes.push(...writes);
    this.#gathering.stored.push(stored);
    this.#start();
  }

  /** True when the answer was for a commit of this queue. */
  onAnswer(answer: Answer): boolean {
    const done = this.#underWay;
    if (answer.kind !== 'stored' || done === undefined || answer.ask !== done.ask) return false;
    this.#underWay = undefined;
    for (const stored of done.batch.stored) stored();
    this.#start();
    return true;
  }

  #start(): void {
    if (this.#underWay !== undefined || this.#gathering.stored.length === 0) return;
    const batch = this.#gathering;
    this.#gathering = emptyBatch();
    if (batch.writes.length === 0) {
      for (const stored of batch.stored) stored();
      return;
    }
    const ask = this.#newAsk();
    this.#underWay = { ask, batch };
    this.#store.commit(batch.writes, ask);
  }
}
