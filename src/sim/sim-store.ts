import { assert } from '../base/assert.ts';
import type { AnswerHandler, AskId, StorePort, StoreWrite } from '../ports.ts';
import { CommitLog } from './commit-log.ts';
import type { SeededEntropy } from './seeded-entropy.ts';
import type { SimNode } from './sim-node.ts';

export interface StoreOptions {
  /** A commit is durable after a time drawn from this range. */
  readonly commitMsMin: number;
  readonly commitMsMax: number;
  /** Share of syncs that fail. Nobody can tell then what is on the disk, so the store answers nothing any more. */
  readonly syncFailChance: number;
}

/** Told of what has just become durable, in order. For checkers; changes nothing. */
export type StoreTap = (writes: readonly StoreWrite[]) => void;

export const quickStore: StoreOptions = { commitMsMin: 0.2, commitMsMax: 3, syncFailChance: 0 };

interface Commit {
  readonly writes: readonly StoreWrite[];
  readonly ask: AskId;
}

/**
 * Records on a disk with a cache. Reads see what is durable, as after a restart. A crash loses what was not answered yet,
 * or part of it: of what was being written the seed says which sectors are there, and of the commits under way those are
 * kept that are whole and have no gap before them.
 */
export class SimStore implements StorePort {
  tap: StoreTap | undefined;
  /** Told when the disk takes no more: the process has to end, and to begin again with what is durable. */
  onBroken: (() => void) | undefined;
  readonly #node: SimNode;
  #options: StoreOptions;
  readonly #entropy: SeededEntropy;
  #handler: AnswerHandler | undefined;
  #durable = new Map<string, Uint8Array>();
  readonly #log = new CommitLog();
  #underWay: Commit[] = [];
  #lastDoneUs = 0;
  #full = false;
  #broken = false;

  constructor(node: SimNode, options: Partial<StoreOptions> = {}) {
    this.#node = node;
    this.#options = { ...quickStore, ...options };
    this.#entropy = node.world.entropy.fork(`store/${node.name}`);
  }

  attach(handler: AnswerHandler): void {
    this.#handler = handler;
  }

  get(key: string): Uint8Array | undefined {
    this.#node.called(`store get ${key}`);
    return this.#durable.get(key)?.slice();
  }

  list(prefix: string): readonly (readonly [key: string, value: Uint8Array])[] {
    this.#node.called(`store list ${prefix}`);
    return [...this.#durable]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, value.slice()]);
  }

  commit(writes: readonly StoreWrite[], ask: AskId): void {
    for (const { key, value } of writes) this.#node.called(`store write ${key}`, ask, 0, value);
    const commit = { writes: writes.map(({ key, value }) => ({ key, value: value?.slice() })), ask };
    if (!this.#full) this.#log.append(writes);
    this.#underWay.push(commit);
    const { commitMsMin, commitMsMax } = this.#options;
    const { nowUs } = this.#node.world;
    const takesUs = this.#entropy.between(commitMsMin * 1_000, commitMsMax * 1_000);
    this.#lastDoneUs = Math.max(this.#lastDoneUs, nowUs + takesUs);
    this.#node.later(this.#lastDoneUs - nowUs, () => this.#finish(commit));
  }

  /** The machine loses power: what is not durable is gone, but for the commits that made it just in time. */
  crash(): void {
    for (const writes of this.#log.recover(this.#entropy)) this.#apply(writes);
    this.#underWay = [];
    this.#broken = false;
    this.#handler = undefined;
  }

  /** No room is left: the next commit breaks the store. */
  fill(): void {
    this.#full = true;
  }

  /** There is room again. */
  empty(): void {
    this.#full = false;
  }

  /** Nothing is wrong with the disk from now on. */
  mend(): void {
    this.empty();
    this.#options = { ...this.#options, syncFailChance: 0 };
  }

  /** Puts an older durable state back, as from a copy of the disk; for a machine that is down. */
  putBack(records: ReadonlyMap<string, Uint8Array>): void {
    this.#durable = new Map(records);
  }

  /** What is on the disk, for checkers; keys in order. */
  durable(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#durable].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #finish(commit: Commit): void {
    if (this.#broken) return;
    assert(this.#underWay[0] === commit, 'commits become durable in order');
    if (this.#full || this.#syncFails()) {
      this.#broken = true;
      this.#node.world.after(0, () => this.onBroken?.());
      return;
    }
    this.#log.takeOldest();
    this.#underWay.shift();
    this.#apply(commit.writes);
    this.#node.told('stored', commit.ask);
    assert(this.#handler !== undefined, `${this.#node.name} has attached an answer handler`);
    this.#handler.onAnswer({ kind: 'stored', ask: commit.ask });
  }

  #syncFails(): boolean {
    const { syncFailChance } = this.#options;
    return syncFailChance > 0 && this.#entropy.chance(syncFailChance);
  }

  #apply(writes: readonly StoreWrite[]): void {
    for (const { key, value } of writes) {
      if (value === undefined) this.#durable.delete(key);
      else this.#durable.set(key, value);
    }
    this.tap?.(writes);
  }
}
