import type { SeededEntropy } from './seeded-entropy.ts';
import { calmNetwork, type NetworkOptions, type SimNetwork } from './sim-network.ts';
import type { StoreOptions } from './sim-store.ts';

/** How rough a world is. Each seed draws its own mix, so that many seeds together try what no one mix would. */
export interface Faults {
  readonly network: Partial<NetworkOptions>;
  readonly store: Partial<StoreOptions>;
  /** Connections cut somewhere in the network, per virtual second. */
  readonly resetsPerSecond: number;
  /** Nodes that do nothing for a while, per virtual second. */
  readonly stallsPerSecond: number;
  readonly stallMsMax: number;
  /** Hosts cut off for a while, per virtual second. */
  readonly cutOffsPerSecond: number;
  readonly cutOffMsMax: number;
  /** Each node's wall clock is off by up to this, either way. */
  readonly wallSkewMsMax: number;
}

export const noFaults: Faults = {
  network: {},
  store: {},
  resetsPerSecond: 0,
  stallsPerSecond: 0,
  stallMsMax: 0,
  cutOffsPerSecond: 0,
  cutOffMsMax: 0,
  wallSkewMsMax: 0,
};

/** Each kind is armed in one world of four, FoundationDB's rule, and then drawn up to its worst. */
const armedShare = 0.25;

export function drawFaults(entropy: SeededEntropy): Faults {
  const armed = <T>(value: () => T, otherwise: T): T => (entropy.chance(armedShare) ? value() : otherwise);
  return {
    network: {
      latencyMs: entropy.between(1, 60),
      jitterMs: armed(() => entropy.between(1, 30), 0),
      uplinkBytesPerSecond: armed(
        () => entropy.between(200, 4_000) * 1_000,
        calmNetwork.uplinkBytesPerSecond,
      ),
      windowBytes: armed(() => entropy.between(4, 64) * 1_024, calmNetwork.windowBytes),
      sendBufferBytes: armed(() => entropy.between(1, 64) * 1_024, calmNetwork.sendBufferBytes),
      segmentBytesMax: armed(() => entropy.between(64, 2_048), calmNetwork.segmentBytesMax),
      splitChance: armed(() => 0.5, calmNetwork.splitChance),
      refuseChance: armed(() => entropy.between(1, 10) / 100, 0),
      silentDeathChance: armed(() => entropy.between(1, 10) / 10, 0),
    },
    store: {
      commitMsMax: armed(() => entropy.between(10, 300), 3),
      syncFailChance: armed(() => entropy.between(1, 20) / 1_000, 0),
    },
    resetsPerSecond: armed(() => entropy.between(1, 20) / 10, 0),
    stallsPerSecond: armed(() => entropy.between(1, 20) / 10, 0),
    stallMsMax: 2_000,
    cutOffsPerSecond: armed(() => entropy.between(1, 5) / 10, 0),
    cutOffMsMax: 5_000,
    wallSkewMsMax: armed(() => entropy.between(1, 60) * 1_000, 0),
  };
}

/** Does to a network what `faults` say, until it is stopped. */
export class FaultInjector {
  readonly #network: SimNetwork;
  readonly #faults: Faults;
  readonly #entropy: SeededEntropy;
  #stopped = false;

  constructor(network: SimNetwork, faults: Faults) {
    this.#network = network;
    this.#faults = faults;
    this.#entropy = network.world.entropy.fork('faults');
    this.#repeat(faults.resetsPerSecond, () => this.#reset());
    this.#repeat(faults.stallsPerSecond, () => this.#stall());
    this.#repeat(faults.cutOffsPerSecond, () => this.#cutOff());
  }

  /** From here on the world heals: what is demanded of it now must come about. */
  stop(): void {
    this.#stopped = true;
    this.#network.change({ ...calmNetwork });
  }

  #repeat(perSecond: number, act: () => void): void {
    if (perSecond === 0) return;
    const meanUs = Math.round(1_000_000 / perSecond);
    this.#network.world.after(this.#entropy.between(1, 2 * meanUs), () => {
      if (this.#stopped) return;
      act();
      this.#repeat(perSecond, act);
    });
  }

  #reset(): void {
    const ends = [...this.#entropy.pick([...this.#network.hosts]).ends];
    if (ends.length > 0) this.#entropy.pick(ends).reset();
  }

  #stall(): void {
    this.#entropy
      .pick([...this.#network.hosts])
      .node.stall(this.#entropy.between(1, this.#faults.stallMsMax));
  }

  #cutOff(): void {
    const host = this.#entropy.pick([...this.#network.hosts]);
    this.#network.cutOff(host, this.#entropy.between(1, this.#faults.cutOffMsMax));
  }
}
