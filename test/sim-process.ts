import type { SchemeProcess } from '../src/payment/compliance-talk.ts';
import type { SchemeHost } from '../src/payment/scheme.ts';
import type { AnswerHandler } from '../src/ports.ts';
import type { SimChain } from '../src/sim/sim-chain.ts';
import { SimChainPort } from '../src/sim/sim-chain-port.ts';
import { SimNode } from '../src/sim/sim-node.ts';
import { SimStore } from '../src/sim/sim-store.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import type { World } from '../src/sim/world.ts';

/** A process of a simulated world that runs one side of a payment scheme, without links and circuits. */
export class SimProcess implements SchemeProcess {
  readonly store: SimStore;
  readonly chain: SimChainPort;
  readonly host: SchemeHost;
  readonly #node: SimNode;
  readonly #chain: SimChain;

  private constructor(node: SimNode, store: SimStore, chain: SimChain) {
    this.#node = node;
    this.#chain = chain;
    this.store = store;
    this.chain = new SimChainPort(node, chain);
    let lastAsk = 0;
    this.host = {
      clock: new VirtualClock(node),
      entropy: node.entropy,
      chain: this.chain,
      store,
      observer: node.observer,
      newAsk: () => ++lastAsk,
    };
  }

  static start(world: World, name: string, chain: SimChain): SimProcess {
    const node = new SimNode(world, name);
    return new SimProcess(node, new SimStore(node), chain);
  }

  attach(handler: AnswerHandler): void {
    this.store.attach(handler);
    this.turn(() => this.chain.attach(handler));
  }

  turn<T>(run: () => T): T {
    return this.#node.turn(run);
  }

  restart(): SimProcess {
    this.#node.die();
    this.store.crash();
    this.chain.forget();
    return new SimProcess(this.#node, this.store, this.#chain);
  }
}
