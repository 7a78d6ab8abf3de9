import { describe, expect, it } from 'vitest';
import type { Answer } from '../ports.ts';
import { SimNode } from './sim-node.ts';
import { SimStore, type StoreOptions } from './sim-store.ts';
import { World } from './world.ts';

function storing(options: Partial<StoreOptions> = {}, seed = 1) {
  const world = new World({ seed });
  const node = new SimNode(world, 'a');
  const store = new SimStore(node, options);
  const answers: Answer[] = [];
  store.attach({ onAnswer: answer => answers.push(answer), onChain: () => {} });
  const put = (ask: number, ...keys: string[]) =>
    node.turn(() =>
      store.commit(
        keys.map(key => ({ key, value: Uint8Array.of(ask) })),
        ask,
      ),
    );
  return { world, node, store, answers, put };
}

describe('the simulated store', () => {
  it('answers in order once commits are durable, and shows only what is durable', () => {
    const { world, node, store, answers, put } = storing();
    put(1, 'b', 'a');
    put(2, 'a');
    expect(node.turn(() => store.get('a'))).toBeUndefined();
    world.runUntilIdle();
    expect(answers).toEqual([
      { kind: 'stored', ask: 1 },
      { kind: 'stored', ask: 2 },
    ]);
    expect(node.turn(() => store.get('a'))).toEqual(Uint8Array.of(2));
    node.turn(() => store.commit([{ key: 'b', value: undefined }], 3));
    world.runUntilIdle();
    expect(node.turn(() => store.list(''))).toEqual([['a', Uint8Array.of(2)]]);
    expect(node.turn(() => store.list('b'))).toEqual([]);
  });

  it('keeps at a crash a whole number of commits, the oldest first, and all that it had answered', () => {
    const survived = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { world, node, store, answers, put } = storing({}, seed);
      put(1, 'first');
      world.runUntilIdle();
      put(2, 'x', 'y');
      put(3, 'x', 'z');
      node.die();
      store.crash();
      world.runUntilIdle();
      expect(answers).toHaveLength(1);
      survived.add([...store.durable()].map(([key, value]) => `${key}${value[0]}`).join(' '));
    }
    expect([...survived].sort()).toEqual(['first1', 'first1 x2 y2', 'first1 x3 y2 z3']);
  });

  it('can be told to tear a commit, which shows that a check for whole commits would see it', () => {
    let torn = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { node, store, put } = storing({ tornCommits: true }, seed);
      put(1, 'x', 'y');
      node.die();
      store.crash();
      if (store.durable().size === 1) torn += 1;
    }
    expect(torn).toBeGreaterThan(0);
  });
});
