import type { Result } from '../src/base/fault.ts';
import type { RelayStanding } from '../src/directory/flag-rules.ts';
import type { ServerDescriptor } from '../src/directory/server-descriptor.ts';
import type { LinkPeer } from '../src/link/link-faults.ts';
import type { Clock, LinkId, StorePort, StoreWrite } from '../src/ports.ts';
import { DescriptorRegistry, type UploadFault } from './descriptor-registry.ts';
import { MeasuredBandwidths } from './measure-bandwidth.ts';
import { type ProbeLinks, ReachabilityProbe } from './reachability-probe.ts';

export interface CensusOptions {
  /** Take relays at private addresses. */
  readonly lab: boolean;
  /** Every relay with a recent descriptor runs; otherwise it must answer a link handshake. */
  readonly assumeReachable: boolean;
  readonly probeEveryMs: number;
  readonly links: ProbeLinks;
  readonly clock: Clock;
  /** Another vote would be cast now. */
  readonly onChange: () => void;
}

/** The relays that are known here: what they say of themselves, whether they answer, how fast they were measured. */
export class RelayCensus {
  readonly #options: CensusOptions;
  readonly #registry: DescriptorRegistry;
  readonly #probe: ReachabilityProbe;
  readonly #measured = new MeasuredBandwidths();

  constructor(options: CensusOptions) {
    const { lab, links, clock, probeEveryMs, onChange } = options;
    this.#options = options;
    this.#registry = new DescriptorRegistry(lab);
    this.#probe = new ReachabilityProbe(links, clock, probeEveryMs, onChange);
  }

  /** Reads what is stored and begins to look after the relays. */
  start(store: StorePort): void {
    const { clock, assumeReachable, onChange } = this.#options;
    this.#registry.restore(store, clock.wallMs());
    if (!assumeReachable) this.#probe.watch(() => this.#registry.all());
    if (this.#registry.size > 0) onChange();
  }

  /** Takes a descriptor; gives what to persist: nothing when it was known. */
  take(descriptor: ServerDescriptor): Result<readonly StoreWrite[], UploadFault> {
    const { clock, assumeReachable, onChange } = this.#options;
    const neverAnswered = (known: ServerDescriptor) => this.#probe.neverAnswered(known);
    const taken = this.#registry.take(descriptor, clock.wallMs(), neverAnswered);
    if (!taken.ok || taken.value.length === 0) return taken;
    if (assumeReachable) onChange();
    else this.#probe.add(descriptor);
    return taken;
  }

  /** Forgets relays that have been silent for too long; says what to remove. */
  expire(): StoreWrite[] {
    return this.#registry.expire(this.#options.clock.wallMs());
  }

  standings(): RelayStanding[] {
    const { clock, assumeReachable } = this.#options;
    return [...this.#registry.all()].map(descriptor => ({
      descriptor,
      running: assumeReachable || this.#probe.isReachable(descriptor),
      measuredKBps: this.#measured.of(descriptor.rsaId, clock.wallMs()),
      authority: false,
    }));
  }

  get registry(): DescriptorRegistry {
    return this.#registry;
  }

  /** Bandwidths as scanners measured them; the code of the fault when it is no v3bw file. */
  readBandwidths(text: string): string | undefined {
    return this.#measured.read(text);
  }

  /** True when the link was opened to see whether a relay answers. */
  onLinkReady(link: LinkId, peer: LinkPeer): boolean {
    return this.#probe.onLinkReady(link, peer);
  }

  onLinkLost(link: LinkId): boolean {
    return this.#probe.onLinkLost(link);
  }
}
