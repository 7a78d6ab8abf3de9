import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BrokenInvariant } from '../base/assert.ts';
import type { AskId, ChainPort, StorePort, StoreWrite } from '../ports.ts';
import { CommitQueue } from './commit-queue.ts';

/** A store that answers, in order, when the test says so. */
class LazyStore implements StorePort {
  readonly written: string[] = [];
  readonly asks: AskId[] = [];
  get = () => undefined;
  list = () => [];
  commit(writes: readonly StoreWrite[], ask: AskId): void {
    this.written.push(...writes.map(({ key }) => key));
    this.asks.push(ask);
  }
}

const write = (key: string): StoreWrite => ({ key, value: new Uint8Array(1) });

test('whoever writes by themselves write after what gathers, and what waits runs in order', () => {
  const act = fc.constantFrom('queued', 'direct', 'nothing', 'answered');
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), acts => {
      const store = new LazyStore();
      let asks = 0;
      const commits = new CommitQueue(store, () => ++asks);
      const [asked, stored]: [string[], number[]] = [[], []];
      let waits = 0;
      const answer = () => {
        const ask = store.asks.shift();
        if (ask !== undefined) commits.onAnswer({ kind: 'stored', ask });
      };
      for (const [at, what] of acts.entries()) {
        const key = String(at);
        if (what === 'answered') answer();
        else if (what === 'direct') commits.store.commit([write(key)], ++asks);
        else {
          const number = waits++;
          commits.commit(what === 'queued' ? [write(key)] : [], () => void stored.push(number));
        }
        if (what === 'queued' || what === 'direct') asked.push(key);
      }
      while (store.asks.length > 0) answer();
      expect(store.written).toEqual(asked);
      expect(stored).toEqual(Array.from({ length: waits }, (_, number) => number));
    }),
  );
});

test('the chain is offered nothing before all that was written until then is durable', () => {
  const act = fc.constantFrom('queued', 'direct', 'offered', 'answered');
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), acts => {
      const store = new LazyStore();
      let asks = 0;
      const commits = new CommitQueue(store, () => ++asks);
      let [written, durable] = [0, 0];
      const [due, offered]: [number[], number[]] = [[], []];
      const chain = commits.chain({
        broadcast: (_, ask) => {
          expect(durable).toBeGreaterThanOrEqual(due[ask]);
          offered.push(ask);
        },
      } as ChainPort);
      const sizes = new Map<AskId, number>();
      const { commit } = store;
      store.commit = (writes, ask) => {
        sizes.set(ask, writes.length);
        commit.call(store, writes, ask);
      };
      const answer = () => {
        const ask = store.asks.shift();
        if (ask === undefined) return;
        durable += sizes.get(ask) ?? 0;
        commits.onAnswer({ kind: 'stored', ask });
      };
      for (const [at, what] of acts.entries()) {
        if (what === 'answered') answer();
        else if (what === 'offered') {
          due.push(written);
          chain.broadcast([], due.length - 1);
        } else {
          written += 1;
          if (what === 'direct') commits.store.commit([write(String(at))], ++asks);
          else commits.commit([write(String(at))], () => {});
        }
      }
      while (store.asks.length > 0) answer();
      expect(offered).toEqual([...due.keys()]);
    }),
  );
});

test('what is queued while a commit is under way goes in one commit after it', () => {
  const store = new LazyStore();
  let asks = 0;
  const commits = new CommitQueue(store, () => ++asks);
  for (const key of ['a', 'b', 'c']) commits.commit([write(key)], () => {});
  expect(store.asks).toHaveLength(1);
  commits.onAnswer({ kind: 'stored', ask: store.asks[0] });
  expect([store.asks.length, store.written]).toEqual([2, ['a', 'b', 'c']]);
});

test('what is asked for together is one commit', () => {
  const groups = fc.array(fc.record({ writes: fc.integer({ min: 1, max: 4 }), isAnswered: fc.boolean() }), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(groups, acts => {
      const store = new LazyStore();
      let asks = 0;
      const commits = new CommitQueue(store, () => ++asks);
      const answer = () => commits.onAnswer({ kind: 'stored', ask: store.asks.shift() as AskId });
      const storedAt: number[][] = [];
      let answers = 0;
      for (const { writes, isAnswered } of acts) {
        const group: number[] = [];
        storedAt.push(group);
        commits.together(() => {
          for (let i = 0; i < writes; i++)
            commits.together(() =>
              commits.commit([write(`${storedAt.length}`)], () => void group.push(answers)),
            );
        });
        expect(store.asks).toHaveLength(1);
        if (!isAnswered) continue;
        answers += 1;
        answer();
      }
      while (store.asks.length > 0) {
        answers += 1;
        answer();
      }
      for (const [at, group] of storedAt.entries())
        expect(group).toEqual(Array.from({ length: acts[at].writes }, () => group[0]));
      expect(answers).toBeLessThanOrEqual(acts.length);
    }),
  );
});

test('a mistake in what is kept, or in what waited for it, is one about money: the node stops', () => {
  const wrong = () => {
    throw new TypeError('a mistake');
  };
  const sound = new LazyStore();
  const broken: StorePort = { get: () => undefined, list: () => [], commit: wrong };
  let asks = 0;
  const queue = (store: StorePort) => new CommitQueue(store, () => ++asks);
  expect(() => queue(broken).commit([write('a')], () => {})).toThrow(BrokenInvariant);
  expect(() => queue(broken).store.commit([write('a')], 1)).toThrow(BrokenInvariant);
  expect(() => queue(sound).commit([], wrong)).toThrow(BrokenInvariant);
  expect(() => queue(sound).together(wrong)).toThrow(BrokenInvariant);
  const commits = queue(sound);
  commits.commit([write('a')], wrong);
  expect(() => commits.onAnswer({ kind: 'stored', ask: asks })).toThrow(BrokenInvariant);
});
