import { equalBytes, toHex } from '../src/base/bytes.ts';
import { linkHandshakeMsMax } from '../src/base/limits.ts';
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

/** Links opened at once for probing. */
const probesMax = 16;
/** One lost connection is no proof. */
const failuresMax = 2;

/**
 * Finds out which relays can be reached: shakes hands with each now and then and checks who answers.
 * spec: dir-spec/assigning-flags-vote (Running)
 */
export class ReachabilityProbe {
  readonly #links: ProbeLinks;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #onChange: () => void;
  readonly #standings = new Map<string, Standing>();
  readonly #probes = new Map<LinkId, { readonly rsaId: Uint8Array; readonly ed25519: Uint8Array }>();
  #due: ServerDescriptor[] = [];
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
    const key = toHex(descriptor.rsaId);
    const { address } = descriptor;
    const known = this.#standings.get(key);
    if (known !== undefined && known.address.host === address.host && known.address.port === address.port) {
      if (known.failures === 0) return;
    } else this.#standings.set(key, { address, reachedMs: undefined, failures: 0, probing: false });
    this.#due.push(descriptor);
    this.#openDue();
  }

  /** Probes all of `relays` now, and again every round until the next call. */
  watch(relays: () => Iterable<ServerDescriptor>): void {
    this.#cancel?.();
    this.#due = [...relays()];
    for (const descriptor of this.#due) {
      const key = toHex(descriptor.rsaId);
      if (!this.#standings.has(key))
        this.#standings.set(key, {
          address: descriptor.address,
          reachedMs: undefined,
          failures: 0,
          probing: false,
        });
    }
    this.#openDue();
    this.#cancel = this.#clock.after(this.#everyMs, () => this.watch(relays));
  }

  isReachable(descriptor: ServerDescriptor): boolean {
    const standing = this.#standings.get(toHex(descriptor.rsaId));
    return standing?.reachedMs !== undefined && standing.failures < failuresMax;
  }

  /** True when the link was a probe's; it is done with then. */
  onLinkReady(link: LinkId, peer: LinkPeer): boolean {
    const probe = this.#probes.get(link);
    if (probe === undefined) return false;
    this.#links.close(link, 'done');
    const proven =
      peer.kind === 'relay' && equalBytes(peer.rsaId, probe.rsaId) && equalBytes(peer.ed25519, probe.ed25519);
    this.#ended(link, probe.rsaId, proven);
    return true;
  }

  onLinkLost(link: LinkId): boolean {
    const probe = this.#probes.get(link);
    if (probe === undefined) return false;
    this.#ended(link, probe.rsaId, false);
    return true;
  }

  #ended(link: LinkId, rsaId: Uint8Array, reached: boolean): void {
    this.#probes.delete(link);
    const standing = this.#standings.get(toHex(rsaId));
    if (standing !== undefined) {
      const before = standing.reachedMs !== undefined && standing.failures < failuresMax;
      standing.probing = false;
      standing.failures = reached ? 0 : standing.failures + 1;
      if (reached) standing.reachedMs = this.#clock.monotonicMs();
      const after = standing.reachedMs !== undefined && standing.failures < failuresMax;
      if (before !== after) this.#onChange();
    }
    this.#openDue();
  }

  #openDue(): void {
    while (this.#probes.size < probesMax && this.#due.length > 0) {
      const descriptor = this.#due.shift() as ServerDescriptor;
      const { rsaId, ed25519, address } = descriptor;
      const standing = this.#standings.get(toHex(rsaId));
      if (standing === undefined || standing.probing) continue;
      standing.probing = true;
      const link = this.#links.open(address, { rsaId, ed25519 });
      this.#probes.set(link, { rsaId, ed25519 });
    }
  }
}

/** How often relays are probed: several times an interval, but never so often that handshakes overlap. */
export function probeEveryMs(intervalMs: number): number {
  return Math.min(Math.max(Math.floor(intervalMs / 2), linkHandshakeMsMax / 5), 1_200_000);
}
