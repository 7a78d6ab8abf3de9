import { makeNodeKeys, type NodeKeys } from '../../src/crypto/node-keys.ts';
import { RsaKey } from '../../src/crypto/rsa.ts';
import type {
  AnswerHandler,
  ChainPort,
  Clock,
  Entropy,
  LinkPort,
  Observer,
  StorePort,
  StreamPort,
} from '../../src/ports.ts';
import { rsaFixture } from '../../src/sim/rsa-fixtures.ts';
import type { SimChain } from '../../src/sim/sim-chain.ts';
import { SimChainPort } from '../../src/sim/sim-chain-port.ts';
import type { SimHost } from '../../src/sim/sim-host.ts';
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
  readonly observer: Observer;
}

/** A host with a disk and a view of the chain: all that a node's core runs on, for one life of its process. */
export class Machine {
  readonly host: SimHost;
  readonly store: SimStore;
  readonly chain: SimChainPort;
  readonly clock: VirtualClock;
  readonly ports: SimPorts;
  readonly #world: SimChain;
  readonly #wallSkewMs: number;

  constructor(host: SimHost, chain: SimChain, store: SimStore, wallSkewMs: number) {
    const { node, links, streams } = host;
    this.host = host;
    this.store = store;
    this.chain = new SimChainPort(node, chain);
    this.clock = new VirtualClock(node, wallSkewMs);
    this.#world = chain;
    this.#wallSkewMs = wallSkewMs;
    const { entropy, observer } = node;
    this.ports = { links, streams, clock: this.clock, entropy, store, chain: this.chain, observer };
  }

  /** Leads the answers of disk and chain to the core. */
  attachAnswers(core: AnswerHandler): void {
    this.store.attach(core);
    this.chain.attach(core);
  }

  /** The process dies, as by kill -9 and a power cut at once. */
  crash(): void {
    this.host.crash();
    this.store.crash();
    this.chain.forget();
  }

  /** The next life, after a crash: it begins with what was durable. */
  revive(): Machine {
    return new Machine(this.host, this.#world, this.store, this.#wallSkewMs);
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
