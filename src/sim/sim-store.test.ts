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

  it('keeps a commit of many sectors whole or not at all', () => {
    const sizes = new Set<number>();
    for (let seed = 0; seed < 60; seed++) {
      const { node, store } = storing({}, seed);
      const writes = ['x', 'y', 'z'].map(key => ({ key, value: new Uint8Array(700).fill(7) }));
      node.turn(() => store.commit(writes, 1));
      node.die();
      store.crash();
      const durable = [...store.durable().values()];
      expect(durable.every(value => value.length === 700 && value.every(byte => byte === 7))).toBe(true);
      sizes.add(durable.length);
    }
    expect([...sizes].sort()).toEqual([0, 3]);
  });

  it('breaks when a sync fails or no room is left, answers nothing then, and goes on after a restart', () => {
    for (const full of [true, false]) {
      const { world, node, store, answers, put } = storing({ syncFailChance: full ? 0 : 1 });
      let broken = 0;
      store.onBroken = () => {
        broken += 1;
        node.die();
        store.crash();
        store.mend();
      };
      if (full) store.fill();
      put(1, 'a');
      put(2, 'b');
      world.runUntilIdle();
      expect([broken, answers.length]).toEqual([1, 0]);
      store.attach({ onAnswer: answer => answers.push(answer), onChain: () => {} });
      put(3, 'c');
      world.runUntilIdle();
      expect(answers).toEqual([{ kind: 'stored', ask: 3 }]);
    }
  });

  it('does not take what an earlier commit left on the disk for one that was interrupted', () => {
    for (let seed = 0; seed < 40; seed++) {
      const { world, node, store, put } = storing({}, seed);
      for (let ask = 1; ask <= 4; ask++) {
        put(ask, 'a', 'b');
        world.runUntilIdle();
      }
      put(5, 'a', 'b');
      node.die();
      store.crash();
      expect(['44', '55']).toContain([...store.durable().values()].map(([value]) => value).join(''));
    }
  });
});
