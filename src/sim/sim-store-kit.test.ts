import { storePortKit } from '../../test/store-port-kit.ts';
import { assert } from '../base/assert.ts';
import { SimNode } from './sim-node.ts';
import { SimStore } from './sim-store.ts';
import { World } from './world.ts';

storePortKit('SimStore', async () => {
  const world = new World({ seed: 1 });
  const node = new SimNode(world, 'a');
  const store = new SimStore(node);
  return {
    open: async onAnswer => {
      store.attach({ onAnswer, onChain: () => {} });
      return {
        port: store,
        turn: run => node.turn(run),
        until: async holds => assert(world.runUntil(holds) === 'done', 'it comes about'),
        close: async () => {
          node.die();
          store.crash();
        },
      };
    },
    remove: async () => {},
  };
});
