import { assert } from '../base/assert.ts';
import type { Endpoint, ResolvedAddress } from '../ports.ts';
import type { Acceptor, Machine } from './machine.ts';
import { type Carrier, ConnectionEnd } from './sim-connection.ts';
import { SimLinks } from './sim-links.ts';
import type { SimNode } from './sim-node.ts';
import { SimStreams } from './sim-streams.ts';

/** What a host asks of the network it is on. */
export interface Wire {
  readonly windowBytes: number;
  readonly sendBufferBytes: number;
  readonly resolveUs: number;
  segmentBytes(): number;
  jitterUs(): number;
  /** Whether a machine that dies leaves its peers with half-open connections. */
  diesSilently(): boolean;
  connect(from: SimHost, end: ConnectionEnd, to: Endpoint, roundTrips: number): void;
  lookUp(name: string): readonly ResolvedAddress[];
}

export interface HostOptions {
  readonly ip: string;
  /** Bytes a second that this host can send, over all its connections. */
  readonly uplinkBytesPerSecond: number;
  /** One-way delay between this host and the middle of the network; two hosts are the sum of theirs apart. */
  readonly latencyMs: number;
}

/** Delay between two connections of one machine. */
const loopbackUs = 50;
const firstEphemeralPort = 32_768;
const ephemeralPorts = 28_000;

/** A machine with an address on the simulated network, and the ports of the one node that runs on it. */
export class SimHost implements Machine {
  readonly node: SimNode;
  readonly ip: string;
  readonly links: SimLinks;
  readonly streams: SimStreams;
  readonly latencyUs: number;
  readonly #wire: Wire;
  readonly #uplinkBytesPerUs: number;
  #uplinkFreeUs = 0;
  #listeners = new Map<number, Acceptor>();
  #ends = new Set<ConnectionEnd>();
  #portsUsed = 0;

  constructor(wire: Wire, node: SimNode, options: HostOptions) {
    this.node = node;
    this.ip = options.ip;
    this.latencyUs = Math.round(options.latencyMs * 1_000);
    this.#wire = wire;
    this.#uplinkBytesPerUs = options.uplinkBytesPerSecond / 1_000_000;
    this.links = new SimLinks(this);
    this.streams = new SimStreams(this);
  }

  get windowBytes(): number {
    return this.#wire.windowBytes;
  }

  get sendBufferBytes(): number {
    return this.#wire.sendBufferBytes;
  }

  get resolveUs(): number {
    return this.#wire.resolveUs;
  }

  /** The connections that this host takes part in. */
  get ends(): ReadonlySet<ConnectionEnd> {
    return this.#ends;
  }

  segmentBytes(): number {
    return this.#wire.segmentBytes();
  }

  useUplink(size: number): number {
    const startUs = Math.max(this.#uplinkFreeUs, this.node.world.nowUs);
    this.#uplinkFreeUs = startUs + Math.ceil(size / this.#uplinkBytesPerUs);
    return this.#uplinkFreeUs;
  }

  delayUs(to: Carrier): number {
    const pathUs = to instanceof SimHost && to !== this ? this.latencyUs + to.latencyUs : loopbackUs;
    return pathUs + this.#wire.jitterUs();
  }

  listen(port: number, acceptor: Acceptor): void {
    assert(!this.#listeners.has(port), `${this.ip}:${port} is free`);
    this.#listeners.set(port, acceptor);
  }

  listener(port: number): Acceptor | undefined {
    return this.#listeners.get(port);
  }

  newEnd(): ConnectionEnd {
    const end = new ConnectionEnd(this);
    this.#ends.add(end);
    return end;
  }

  dropEnd(end: ConnectionEnd): void {
    this.#ends.delete(end);
  }

  connect(end: ConnectionEnd, to: Endpoint, roundTrips: number): void {
    this.#wire.connect(this, end, to, roundTrips);
  }

  lookUp(name: string): readonly ResolvedAddress[] {
    return this.#wire.lookUp(name);
  }

  /** Where the next connection that this host opens comes from. */
  nextSource(): Endpoint {
    this.#portsUsed = (this.#portsUsed + 1) % ephemeralPorts;
    return { host: this.ip, port: firstEphemeralPort + this.#portsUsed };
  }

  /** The process dies: peers see their connections reset, listeners are gone, nothing is told to the dead. */
  crash(): void {
    this.node.die();
    const silently = this.#wire.diesSilently();
    for (const end of [...this.#ends]) end.vanish(silently);
    this.#listeners.clear();
    this.links.forget();
    this.streams.forget();
  }
}
