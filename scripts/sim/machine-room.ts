import { makeNodeKeys, type NodeKeys } from '../../src/crypto/node-keys.ts';
import { RsaKey } from '../../src/crypto/rsa.ts';
import type {
  AnswerHandler,
  ChainPort,
  Clock,
  Entropy,
  LinkPort,
  Observer,
  PartyPort,
  RequestHandler,
  StorePort,
  StreamPort,
} from '../../src/ports.ts';
import { rsaFixture } from '../../src/sim/rsa-fixtures.ts';
import type { SimChain } from '../../src/sim/sim-chain.ts';
import { SimChainPort } from '../../src/sim/sim-chain-port.ts';
import type { SimHost } from '../../src/sim/sim-host.ts';
import { type SimParties, SimPartyPort } from '../../src/sim/sim-parties.ts';
import type { SimStore } from '../../src/sim/sim-store.ts';
import { VirtualClock } from '../../src/sim/virtual-clock.ts';

/** All ports of one simulated node. */
export interface SimPorts {
  readonly links: LinkPort;
  readonly streams: StreamPort;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly store: StorePort;
  readonly chain: ChainPort;
  readonly parties: PartyPort;
  readonly observer: Observer;
}

/** Where a simulated node is asked by other parties. */
export const partyPort = 9_031;

/** A host with a disk and a view of the chain: all that a node's core runs on, for one life of its process. */
export class Machine {
  readonly host: SimHost;
  readonly store: SimStore;
  readonly chain: SimChainPort;
  readonly clock: VirtualClock;
  readonly ports: SimPorts;
  readonly parties: SimPartyPort;
  readonly #world: SimChain;
  readonly #all: SimParties;
  readonly #wallSkewMs: number;

  constructor(host: SimHost, chain: SimChain, parties: SimParties, store: SimStore, wallSkewMs: number) {
    const { node, links, streams } = host;
    this.host = host;
    this.store = store;
    this.chain = new SimChainPort(node, chain);
    this.clock = new VirtualClock(node, wallSkewMs);
    this.parties = new SimPartyPort(node, parties);
    this.parties.listen({ host: host.ip, port: partyPort });
    this.#world = chain;
    this.#all = parties;
    this.#wallSkewMs = wallSkewMs;
    const { entropy, observer } = node;
    const { clock, chain: ownChain, parties: ownParties } = this;
    this.ports = {
      links,
      streams,
      clock,
      entropy,
      store,
      chain: ownChain,
      parties: ownParties,
      observer,
    };
  }

  /** Leads the answers of disk, chain and other parties to the core, and what these ask. */
  attachAnswers(core: AnswerHandler & Partial<RequestHandler>): void {
    this.parties.attach(core);
    this.store.attach(core);
    this.chain.attach(core);
  }

  /** The process dies, as by kill -9 and a power cut at once. */
  crash(): void {
    this.host.crash();
    this.store.crash();
    this.chain.forget();
    this.parties.forget();
  }

  /** The next life, after a crash: it begins with what was durable. */
  revive(): Machine {
    return new Machine(this.host, this.#world, this.#all, this.store, this.#wallSkewMs);
  }
}

const sharedRsa = new Map<string, RsaKey>();

function shared(kind: 'tls' | 'tap'): RsaKey {
  const key = sharedRsa.get(kind) ?? new RsaKey(rsaFixture(kind, 0));
  sharedRsa.set(kind, key);
  return key;
}

/** Keys of the `index`th relay or authority: RSA fixtures, and the rest from the node's entropy. */
export function simNodeKeys(entropy: Entropy, index: number): NodeKeys {
  const rsaIdentity = new RsaKey(rsaFixture('identity', index));
  return makeNodeKeys(entropy, { rsaIdentity, tls: shared('tls'), tap: shared('tap') });
}
