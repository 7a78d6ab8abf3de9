import { equalBytes, toHex } from '../src/base/bytes.ts';
import { linkHandshakeMsMax, newProbesMin, probesMax } from '../src/base/limits.ts';
import type { ServerDescriptor } from '../src/directory/server-descriptor.ts';
import type { LinkPeer } from '../src/link/link-faults.ts';
import type { ExpectedPeer } from '../src/link/link-state.ts';
import type { Cancel, Clock, CloseReason, Endpoint, LinkId } from '../src/ports.ts';

/** What a probe needs of the link mux. */
export interface ProbeLinks {
  open(to: Endpoint, expect: ExpectedPeer): LinkId;
  close(link: LinkId, why: CloseReason): void;
}

interface Standing {
  readonly address: Endpoint;
  /** Monotonic time of the last handshake that proved both identities. */
  reachedMs: number | undefined;
  /** Failed in a row. */
  failures: number;
  probing: boolean;
}

interface Probe {
  readonly descriptor: ServerDescriptor;
  readonly standing: Standing;
  /** Of a relay that was not reachable. */
  readonly isNew: boolean;
}

/** One lost connection is no proof. */
const failuresMax = 2;

/**
 * Finds out which relays can be reached: shakes hands with each now and then and checks who answers. Those that were
 * reachable come first, and the others in turn, however many rounds that takes: descriptors cost nothing, so that whoever
 * makes up many is not to keep the probe from those that answer.
 * spec: dir-spec/assigning-flags-vote (Running)
 */
export class ReachabilityProbe {
  readonly #links: ProbeLinks;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #onChange: () => void;
  readonly #standings = new Map<string, Standing>();
  readonly #probes = new Map<LinkId, Probe>();
  #newProbes = 0;
  /** Due, by RSA identity: relays that were reachable when they became due, and the others; the first to become due first. */
  readonly #known = new Map<string, ServerDescriptor>();
  readonly #new = new Map<string, ServerDescriptor>();
  #cancel: Cancel | undefined;

  /** @param onChange a relay has become reachable or has ceased to be. */
  constructor(links: ProbeLinks, clock: Clock, everyMs: number, onChange: () => void) {
    this.#links = links;
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#onChange = onChange;
  }

  /** Probes a relay soon: it is new, or has a new address. */
  add(descriptor: ServerDescriptor): void {
    const known = this.#standings.get(toHex(descriptor.rsaId));
    const { address } = descriptor;
    const moved = known?.address.host !== address.host || known.address.port !== address.port;
    if (!moved && known.failures === 0) return;
    if (moved) this.#standings.set(toHex(descriptor.rsaId), newStanding(address));
    this.#makeDue(descriptor);
    this.#openDue();
  }

  /** Probes all of `relays` from now on, and again every round until the next call. */
  watch(relays: () => Iterable<ServerDescriptor>): void {
    this.#cancel?.();
    const gone = new Set(this.#standings.keys());
    for (const descriptor of relays()) {
      const key = toHex(descriptor.rsaId);
      gone.delete(key);
      if (!this.#standings.has(key)) this.#standings.set(key, newStanding(descriptor.address));
      this.#makeDue(descriptor);
    }
    for (const key of gone) this.#forget(key);
    this.#openDue();
    this.#cancel = this.#clock.after(this.#everyMs, () => this.watch(relays));
  }

  isReachable(descriptor: ServerDescriptor): boolean {
    return isReachable(this.#standings.get(toHex(descriptor.rsaId)));
  }

  /** True when the relay was probed, more than once, and never answered. */
  neverAnswered(descriptor: ServerDescriptor): boolean {
    const standing = this.#standings.get(toHex(descriptor.rsaId));
    return standing !== undefined && standing.reachedMs === undefined && standing.failures >= failuresMax;
  }

  /** True when the link was a probe's; it is done with then. */
  onLinkReady(link: LinkId, peer: LinkPeer): boolean {
    const probe = this.#probes.get(link);
    if (probe === undefined) return false;
    this.#links.close(link, 'done');
    const { rsaId, ed25519 } = probe.descriptor;
    this.#ended(
      link,
      probe,
      peer.kind === 'relay' && equalBytes(peer.rsaId, rsaId) && equalBytes(peer.ed25519, ed25519),
    );
    return true;
  }

  onLinkLost(link: LinkId): boolean {
    const probe = this.#probes.get(link);
    if (probe === undefined) return false;
    this.#ended(link, probe, false);
    return true;
  }

  #ended(link: LinkId, { descriptor, standing, isNew }: Probe, reached: boolean): void {
    this.#probes.delete(link);
    if (isNew) this.#newProbes -= 1;
    const before = isReachable(standing);
    standing.probing = false;
    standing.failures = reached ? 0 : standing.failures + 1;
    if (reached) standing.reachedMs = this.#clock.monotonicMs();
    // A relay that is gone, or has moved meanwhile, has no standing or another one.
    const counts = this.#standings.get(toHex(descriptor.rsaId)) === standing;
    if (counts && before !== isReachable(standing)) this.#onChange();
    this.#openDue();
  }

  /** Who is due already keeps his place. */
  #makeDue(descriptor: ServerDescriptor): void {
    const key = toHex(descriptor.rsaId);
    const reachable = isReachable(this.#standings.get(key));
    (reachable ? this.#new : this.#known).delete(key);
    (reachable ? this.#known : this.#new).set(key, descriptor);
  }

  #forget(key: string): void {
    this.#standings.delete(key);
    this.#known.delete(key);
    this.#new.delete(key);
  }

  #openDue(): void {
    while (this.#probes.size < probesMax) {
      const newFirst = this.#known.size === 0 || this.#newProbes < newProbesMin;
      const isNew = newFirst && this.#new.size > 0;
      const due = isNew ? this.#new : this.#known;
      const [next] = due;
      if (next === undefined) return;
      const [key, descriptor] = next;
      due.delete(key);
      const standing = this.#standings.get(key);
      if (standing === undefined || standing.probing) continue;
      standing.probing = true;
      const { rsaId, ed25519, address } = descriptor;
      this.#probes.set(this.#links.open(address, { rsaId, ed25519 }), { descriptor, standing, isNew });
      if (isNew) this.#newProbes += 1;
    }
  }
}

function newStanding(address: Endpoint): Standing {
  return { address, reachedMs: undefined, failures: 0, probing: false };
}

function isReachable(standing: Standing | undefined): boolean {
  return standing?.reachedMs !== undefined && standing.failures < failuresMax;
}

/** How often relays are probed: several times an interval, but never so often that handshakes overlap. */
export function probeEveryMs(intervalMs: number): number {
  return Math.min(Math.max(Math.floor(intervalMs / 2), linkHandshakeMsMax / 5), 1_200_000);
}
