import { assert } from '../base/assert.ts';
import type { AnswerHandler, AskId, StorePort, StoreWrite } from '../ports.ts';
import type { SeededEntropy } from './seeded-entropy.ts';
import type { SimNode } from './sim-node.ts';

export interface StoreOptions {
  /** A commit is durable after a time drawn from this range. */
  readonly commitMsMin: number;
  readonly commitMsMax: number;
  /** A store that breaks its promise: of the commits that a crash interrupts, some records survive and others not. */
  readonly tornCommits: boolean;
}

/** Told of what has just become durable, in order. For checkers; changes nothing. */
export type StoreTap = (writes: readonly StoreWrite[]) => void;

export const quickStore: StoreOptions = { commitMsMin: 0.2, commitMsMax: 3, tornCommits: false };

interface Commit {
  readonly writes: readonly StoreWrite[];
  readonly ask: AskId;
}

/**
 * A disk with a cache. Reads see what is durable, as after a restart. A crash loses what was not answered yet, or part
 * of it: commits reach the disk in order, and the seed says how many of those under way did.
 */
export class SimStore implements StorePort {
  tap: StoreTap | undefined;
  readonly #node: SimNode;
  readonly #options: StoreOptions;
  readonly #entropy: SeededEntropy;
  #handler: AnswerHandler | undefined;
  #durable = new Map<string, Uint8Array>();
  #underWay: Commit[] = [];
  #lastDoneUs = 0;

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
    this.#underWay.push(commit);
    const { commitMsMin, commitMsMax } = this.#options;
    const { nowUs } = this.#node.world;
    const takesUs = this.#entropy.between(commitMsMin * 1_000, commitMsMax * 1_000);
    this.#lastDoneUs = Math.max(this.#lastDoneUs, nowUs + takesUs);
    this.#node.later(this.#lastDoneUs - nowUs, () => this.#finish(commit));
  }

  /** The machine loses power: what is not durable is gone, but for the commits that made it just in time. */
  crash(): void {
    const survivors = this.#entropy.below(this.#underWay.length + 1);
    for (const { writes } of this.#underWay.slice(0, survivors)) this.#apply(writes);
    const torn = this.#underWay[survivors];
    if (this.#options.tornCommits && torn !== undefined) {
      this.#apply(torn.writes.slice(0, this.#entropy.below(torn.writes.length + 1)));
    }
    this.#underWay = [];
    this.#handler = undefined;
  }

  /** What is on the disk, for checkers; keys in order. */
  durable(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#durable].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #finish(commit: Commit): void {
    assert(this.#underWay[0] === commit, 'commits become durable in order');
    this.#underWay.shift();
    this.#apply(commit.writes);
    this.#node.told('stored', commit.ask);
    assert(this.#handler !== undefined, `${this.#node.name} has attached an answer handler`);
    this.#handler.onAnswer({ kind: 'stored', ask: commit.ask });
  }

  #apply(writes: readonly StoreWrite[]): void {
    for (const { key, value } of writes) {
      if (value === undefined) this.#durable.delete(key);
      else this.#durable.set(key, value);
    }
    this.tap?.(writes);
  }
}
