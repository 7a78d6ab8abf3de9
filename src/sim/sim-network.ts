import { assert } from '../base/assert.ts';
import type { Endpoint, ResolvedAddress } from '../ports.ts';
import type { SeededEntropy } from './seeded-entropy.ts';
import { ConnectionEnd } from './sim-connection.ts';
import { type HostOptions, SimHost, type Wire } from './sim-host.ts';
import { SimNode } from './sim-node.ts';
import type { World } from './world.ts';

export interface NetworkOptions {
  /** For hosts that name none of their own. */
  readonly latencyMs: number;
  readonly uplinkBytesPerSecond: number;
  /** Added to each segment's delay, from 0 to this, drawn anew each time. */
  readonly jitterMs: number;
  readonly windowBytes: number;
  readonly sendBufferBytes: number;
  readonly segmentBytesMax: number;
  /** Share of segments that are cut at a random place, so that messages arrive in pieces. */
  readonly splitChance: number;
  /** Share of connection attempts that are refused. */
  readonly refuseChance: number;
  /** Share of deaths of which peers hear nothing: their connections are half-open. */
  readonly silentDeathChance: number;
}

export const calmNetwork: NetworkOptions = {
  latencyMs: 5,
  uplinkBytesPerSecond: 125_000_000,
  jitterMs: 0,
  windowBytes: 524_288,
  sendBufferBytes: 262_144,
  segmentBytesMax: 16_384,
  splitChance: 0.05,
  refuseChance: 0,
  silentDeathChance: 0,
};

const connectTimeoutUs = 20_000_000;
const unreachableUs = 1_000;

/** All hosts, their addresses, and the names that lead to them. */
export class SimNetwork implements Wire {
  readonly world: World;
  readonly resolveUs = 20_000;
  #options: NetworkOptions;
  readonly #entropy: SeededEntropy;
  #hosts = new Map<string, SimHost>();
  #names = new Map<string, readonly ResolvedAddress[]>();
  #cutOff = new Set<SimHost>();

  constructor(world: World, options: Partial<NetworkOptions> = {}) {
    this.world = world;
    this.#options = { ...calmNetwork, ...options };
    this.#entropy = world.entropy.fork('network');
  }

  get hosts(): Iterable<SimHost> {
    return this.#hosts.values();
  }

  get windowBytes(): number {
    return this.#options.windowBytes;
  }

  get sendBufferBytes(): number {
    return this.#options.sendBufferBytes;
  }

  get segmentBytesMax(): number {
    return this.#options.segmentBytesMax;
  }

  /** A new machine with a new node on it. */
  host(name: string, options: Partial<HostOptions> & { readonly ip: string }): SimHost {
    assert(!this.#hosts.has(options.ip), `address ${options.ip} is free`);
    const { latencyMs, uplinkBytesPerSecond } = this.#options;
    const node = new SimNode(this.world, name);
    const host = new SimHost(this, node, { latencyMs, uplinkBytesPerSecond, ...options });
    this.#hosts.set(options.ip, host);
    return host;
  }

  /** Makes `name` resolve to `addresses`; to none of them, and it exists no more. */
  name(name: string, addresses: readonly ResolvedAddress[]): void {
    this.#names.set(name.toLowerCase(), addresses);
  }

  lookUp(name: string): readonly ResolvedAddress[] {
    return this.#names.get(name.toLowerCase()) ?? [];
  }

  /** Faults end: from here on the network behaves as `options` say. */
  change(options: Partial<NetworkOptions>): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Cuts a host off for `ms`: what it has open stalls, what is opened to or by it times out. */
  cutOff(host: SimHost, ms: number): void {
    this.#cutOff.add(host);
    for (const end of host.ends) {
      end.stall(ms);
      end.peer?.stall(ms);
    }
    this.world.after(Math.round(ms * 1_000), () => this.#cutOff.delete(host));
  }

  jitterUs(): number {
    const mostUs = Math.round(this.#options.jitterMs * 1_000);
    return mostUs === 0 ? 0 : this.#entropy.below(mostUs + 1);
  }

  diesSilently(): boolean {
    const { silentDeathChance } = this.#options;
    return silentDeathChance > 0 && this.#entropy.chance(silentDeathChance);
  }

  segmentBytes(): number {
    const { segmentBytesMax, splitChance } = this.#options;
    if (splitChance === 0 || !this.#entropy.chance(splitChance)) return segmentBytesMax;
    return this.#entropy.between(1, segmentBytesMax);
  }

  connect(from: SimHost, end: ConnectionEnd, to: Endpoint, roundTrips: number): void {
    const target = this.#hosts.get(to.host);
    if (target === undefined) {
      end.receive({ kind: 'closed', why: 'unreachable' }, unreachableUs);
      return;
    }
    if (this.#cutOff.has(from) || this.#cutOff.has(target)) {
      end.receive({ kind: 'closed', why: 'timeout' }, connectTimeoutUs);
      return;
    }
    const source = from.nextSource();
    const oneWayUs = from.delayUs(target);
    const refused = this.#options.refuseChance > 0 && this.#entropy.chance(this.#options.refuseChance);
    // The target's kernel takes the connection, so this happens even while its process is stalled.
    this.world.after(oneWayUs * (2 * roundTrips - 1), () => {
      if (!end.open) return;
      const acceptor = refused ? undefined : target.listener(to.port);
      if (acceptor === undefined) {
        end.receive({ kind: 'closed', why: 'refused' }, oneWayUs);
        return;
      }
      const accepted = target.newEnd();
      acceptor(accepted, source);
      accepted.receive({ kind: 'opened' }, 0);
      end.receive({ kind: 'opened' }, oneWayUs);
      ConnectionEnd.join(end, accepted, this.#entropy.bytes(32));
    });
  }
}
