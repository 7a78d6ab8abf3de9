import type { SchemeProcess } from '../payment/compliance-talk.ts';
import type { SchemeHost } from '../payment/scheme.ts';
import type { AnswerHandler, Endpoint, RequestHandler } from '../ports.ts';
import type { SimChain } from './sim-chain.ts';
import { SimChainPort } from './sim-chain-port.ts';
import { SimNode } from './sim-node.ts';
import { SimParties, SimPartyPort } from './sim-parties.ts';
import { SimStore } from './sim-store.ts';
import { VirtualClock } from './virtual-clock.ts';
import type { World } from './world.ts';

/** A process of a simulated world that runs one side of a payment scheme: a disk, a view of the chain, other parties; no circuits. */
export class SimProcess implements SchemeProcess {
  readonly store: SimStore;
  readonly chain: SimChainPort;
  readonly parties: SimPartyPort;
  readonly host: SchemeHost;
  readonly #node: SimNode;
  readonly #chain: SimChain;
  readonly #all: SimParties;
  readonly #at: Endpoint | undefined;

  private constructor(
    node: SimNode,
    store: SimStore,
    chain: SimChain,
    parties: SimParties,
    at: Endpoint | undefined,
  ) {
    this.#node = node;
    this.#chain = chain;
    this.store = store;
    this.chain = new SimChainPort(node, chain);
    this.#all = parties;
    this.#at = at;
    this.parties = new SimPartyPort(node, parties);
    if (at !== undefined) this.parties.listen(at);
    this.host = hostOf(node, store, this.chain, this.parties);
  }

  /** @param at where others ask it, if they do. */
  static start(
    world: World,
    name: string,
    chain: SimChain,
    parties = new SimParties(),
    at?: Endpoint,
  ): SimProcess {
    const node = new SimNode(world, name);
    return new SimProcess(node, new SimStore(node), chain, parties, at);
  }

  /** Leads answers and news to `handler` from now on. */
  attach(handler: AnswerHandler & Partial<RequestHandler>): void {
    this.store.attach(handler);
    this.parties.attach(handler);
    this.turn(() => this.chain.attach(handler));
  }

  /** Does `run` as the one thing that happens now. */
  turn<T>(run: () => T): T {
    return this.#node.turn(run);
  }

  durable(): ReadonlyMap<string, Uint8Array> {
    return this.store.durable();
  }

  /** Dies at once and starts again with what was durable, or with an older copy of it. */
  restart(records?: ReadonlyMap<string, Uint8Array>): SimProcess {
    this.#node.die();
    this.store.crash();
    if (records !== undefined) this.store.putBack(records);
    this.chain.forget();
    this.parties.forget();
    return new SimProcess(this.#node, this.store, this.#chain, this.#all, this.#at);
  }
}

function hostOf(node: SimNode, store: SimStore, chain: SimChainPort, parties: SimPartyPort): SchemeHost {
  let lastAsk = 0;
  return {
    clock: new VirtualClock(node),
    entropy: node.entropy,
    chain,
    store,
    parties,
    observer: node.observer,
    newAsk: () => ++lastAsk,
  };
}
