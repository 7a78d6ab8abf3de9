import { inLedger } from '../base/assert.ts';
import type { Answer, AskId, ChainPort, StorePort, StoreWrite } from '../ports.ts';

interface Batch {
  readonly writes: StoreWrite[];
  readonly stored: (() => void)[];
  /** Of somebody who writes by themselves, and hears of it too. */
  readonly direct?: boolean;
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
  /** In the order in which they were begun, which is that of the answers. */
  readonly #underWay = new Map<AskId, Batch>();
  #gathering = emptyBatch();
  /** What is asked for now is asked for together. */
  #holds = false;

  constructor(store: StorePort, newAsk: () => AskId) {
    this.#store = store;
    this.#newAsk = newAsk;
    this.store = {
      get: key => store.get(key),
      list: prefix => store.list(prefix),
      commit: (writes, ask) => {
        this.#flush();
        this.#underWay.set(ask, { ...emptyBatch(), direct: true });
        inLedger(() => store.commit(writes, ask));
      },
    };
  }

  /**
   * The chain for whoever's records these are: nothing is offered to it before all that was written until then is durable.
   * A block may ask for a transaction at any time, and a process that has forgotten what it sent does not know what it has.
   */
  chain(chain: ChainPort): ChainPort {
    return {
      broadcast: (transactions, ask) => this.commit([], () => chain.broadcast(transactions, ask)),
      output: (outpoint, ask) => chain.output(outpoint, ask),
      feerate: ask => chain.feerate(ask),
      watch: (script, fromHeight) => chain.watch(script, fromHeight),
      unwatch: script => chain.unwatch(script),
    };
  }

  /** Runs `stored` later, after `writes` are durable; at once when there is nothing to write and nothing before it. */
  commit(writes: readonly StoreWrite[], stored: () => void): void {
    if (writes.length === 0 && this.#gathering.writes.length === 0) {
      const last = [...this.#underWay.values()].at(-1);
      if (last === undefined) inLedger(stored);
      else last.stored.push(stored);
      return;
    }
    this.#gathering.writes.push(...writes);
    this.#gathering.stored.push(stored);
    if (this.#underWay.size === 0 && !this.#holds) this.#flush();
  }

  /** What `ask` commits is one commit. */
  together(ask: () => void): void {
    const held = this.#holds;
    this.#holds = true;
    inLedger(ask);
    this.#holds = held;
    if (this.#underWay.size === 0 && !held) this.#flush();
  }

  /** True when the answer was for a commit of this queue. Whoever wrote by themselves is told by the caller. */
  onAnswer(answer: Answer): boolean {
    const batch = answer.kind === 'stored' ? this.#underWay.get(answer.ask) : undefined;
    if (batch === undefined) return false;
    this.#underWay.delete(answer.ask);
    this.together(() => {
      for (const stored of batch.stored) stored();
    });
    return batch.direct !== true;
  }

  #flush(): void {
    if (this.#gathering.writes.length === 0) return;
    const batch = this.#gathering;
    this.#gathering = emptyBatch();
    const ask = this.#newAsk();
    this.#underWay.set(ask, batch);
    inLedger(() => this.#store.commit(batch.writes, ask));
  }
}
