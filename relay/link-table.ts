import { equalBytes, toHex } from '../src/base/bytes.ts';
import { formatIp, parseIp } from '../src/base/ip.ts';
import { extendsPerLinkMax, linkOpeningsMax } from '../src/base/limits.ts';
import { destroyReason } from '../src/cell/commands.ts';
import { type LinkTarget, targetMatches } from '../src/cell/link-specifier.ts';
import type { RelayInfo } from '../src/directory/relay-info.ts';
import type { LinkPeer } from '../src/link/link-faults.ts';
import type { CloseReason, Endpoint, LinkId } from '../src/ports.ts';

/** What the table needs of the link mux. */
export interface LinkOpener {
  open(to: Endpoint, expect: { readonly rsaId: Uint8Array; readonly ed25519?: Uint8Array }): LinkId;
  /** Without a word to the table. */
  close(link: LinkId, why: CloseReason): void;
  /** The IP from which a link was opened to us. */
  addressOf(link: LinkId): string;
}

/** What the consensus says of a relay, by its RSA identity. */
type ListedRelay = (rsaId: Uint8Array) => Pick<RelayInfo, 'ed25519' | 'address' | 'ipv6'> | undefined;

/** Who waits for a link to a relay. Exactly one of the two is called, at once or later. */
export interface LinkWaiter {
  onLink(link: LinkId): void;
  /** @param reason of DESTROY; like C tor it says nothing of why there is no link. */
  onNoLink(reason: number): void;
}

interface Waiting {
  readonly target: LinkTarget;
  readonly waiter: LinkWaiter;
}

interface Opening {
  readonly link: LinkId;
  readonly key: string;
  readonly rsaId: string;
  readonly host: string;
  waiters: Waiting[];
}

type RelayPeer = Extract<LinkPeer, { kind: 'relay' }>;

interface ReadyLink {
  readonly link: LinkId;
  readonly peer: RelayPeer;
  /** The far end's IP, without the port: that of a link which the other relay opened says nothing. */
  readonly host: string;
  readonly dialledByLarger: boolean;
}

/**
 * Links to other relays by the identities that these have proven, so that one connection carries all circuits between
 * two relays. When both dial at once there are two; both ends then prefer the one dialled by the larger Ed25519 identity,
 * and the other is closed once it is idle.
 *
 * What an EXTEND2 says of an address is its sender's word alone, so it counts for that sender alone: whoever names another
 * address or identity waits for another link, and shares one that is ready only where its far end is where he looks for it,
 * or where that relay is known to be.
 */
export class LinkTable {
  readonly #opener: LinkOpener;
  readonly #ownEd25519: Uint8Array;
  readonly #listed: ListedRelay;
  readonly #peers = new Map<LinkId, LinkPeer>();
  /** By the RSA identity that they have proven. */
  readonly #ready = new Map<string, ReadyLink[]>();
  readonly #openings = new Map<LinkId, Opening>();
  /** By the RSA identity that is asked for, then by all that was asked for; the oldest first. */
  readonly #openingsTo = new Map<string, Map<string, Opening>>();

  constructor(opener: LinkOpener, ownEd25519: Uint8Array, listed: ListedRelay) {
    this.#opener = opener;
    this.#ownEd25519 = ownEd25519;
    this.#listed = listed;
  }

  /** Who is at the other end of a ready link. */
  peerOf(link: LinkId): LinkPeer | undefined {
    return this.#peers.get(link);
  }

  /** Finds a link to the target, or opens one. */
  find(asked: LinkTarget, waiter: LinkWaiter): void {
    const target = this.#identified(asked);
    const ready = this.#bestFor(target);
    if (ready !== undefined) {
      waiter.onLink(ready);
      return;
    }
    const address = target.ipv4 ?? target.ipv6;
    if (address === undefined) {
      waiter.onNoLink(destroyReason.channelClosed);
      return;
    }
    const { waiters } = this.#openingTo(target, address);
    waiters.push({ target, waiter });
    // Whoever came last may be the one who means it.
    if (waiters.length > extendsPerLinkMax) waiters.shift()?.waiter.onNoLink(destroyReason.resourceLimit);
  }

  onReady(link: LinkId, peer: LinkPeer): void {
    const opening = this.#forgetOpening(link);
    this.#peers.set(link, peer);
    const waiters = opening?.waiters ?? [];
    if (peer.kind === 'relay') {
      const rsaId = toHex(peer.rsaId);
      const host = plainIp(opening?.host ?? this.#opener.addressOf(link));
      const weAreLarger = Buffer.compare(this.#ownEd25519, peer.ed25519) > 0;
      const ready = { link, peer, host, dialledByLarger: weAreLarger === (opening !== undefined) };
      this.#ready.set(rsaId, [...(this.#ready.get(rsaId) ?? []), ready]);
      // Who waits for a link of ours to that relay may as well use the one that it opened.
      for (const other of this.#openingsTo.get(rsaId)?.values() ?? []) {
        const left: Waiting[] = [];
        for (const each of other.waiters) (this.#suits(ready, each.target) ? waiters : left).push(each);
        other.waiters = left;
      }
    }
    for (const { target, waiter } of waiters) {
      if (peer.kind === 'relay' && targetMatches(target, peer.rsaId, peer.ed25519)) waiter.onLink(link);
      else waiter.onNoLink(destroyReason.channelClosed);
    }
  }

  onLost(link: LinkId): void {
    const peer = this.#peers.get(link);
    this.#peers.delete(link);
    if (peer?.kind === 'relay') {
      const rsaId = toHex(peer.rsaId);
      const left = (this.#ready.get(rsaId) ?? []).filter(each => each.link !== link);
      if (left.length === 0) this.#ready.delete(rsaId);
      else this.#ready.set(rsaId, left);
    }
    for (const { waiter } of this.#forgetOpening(link)?.waiters ?? [])
      waiter.onNoLink(destroyReason.channelClosed);
  }

  /** Clients of C tor leave the Ed25519 identity to the relay that extends, which has it from the consensus. */
  #identified(target: LinkTarget): LinkTarget {
    const ed25519 = target.ed25519 ?? this.#listed(target.rsaId)?.ed25519;
    return ed25519 === undefined ? target : { ...target, ed25519 };
  }

  /** spec: tor-spec/create-created-cells (EXTEND2): a link that is there is used, if it is canonical for this request. */
  #bestFor(target: LinkTarget): LinkId | undefined {
    const suited = (this.#ready.get(toHex(target.rsaId)) ?? []).filter(each => this.#suits(each, target));
    return (suited.find(each => each.dialledByLarger) ?? suited[0])?.link;
  }

  /** As C tor's channel_get_for_extend: who is there, and where that is, are what was asked for. */
  #suits({ peer, host }: ReadyLink, target: LinkTarget): boolean {
    if (!targetMatches(target, peer.rsaId, peer.ed25519)) return false;
    if (peer.isCanonical || host === target.ipv4?.host || host === target.ipv6?.host) return true;
    const listed = this.#listed(peer.rsaId);
    if (listed === undefined || !equalBytes(listed.ed25519, peer.ed25519)) return false;
    return [listed.address, listed.ipv6].some(each => each !== undefined && plainIp(each.host) === host);
  }

  #openingTo(target: LinkTarget, address: Endpoint): Opening {
    const { ed25519 } = target;
    const rsaId = toHex(target.rsaId);
    const key = `${ed25519 === undefined ? '' : toHex(ed25519)} ${address.host} ${address.port}`;
    const known = this.#openingsTo.get(rsaId)?.get(key);
    if (known !== undefined) return known;
    if (this.#openings.size >= linkOpeningsMax) this.#makeRoom();
    const expect = ed25519 === undefined ? { rsaId: target.rsaId } : { rsaId: target.rsaId, ed25519 };
    const link = this.#opener.open(address, expect);
    const opening: Opening = { link, key, rsaId, host: address.host, waiters: [] };
    this.#openings.set(link, opening);
    const toSame = this.#openingsTo.get(rsaId) ?? new Map<string, Opening>();
    this.#openingsTo.set(rsaId, toSame.set(key, opening));
    return opening;
  }

  /** A relay answers soon: of the identity that is looked for at most addresses, what has taken longest gives way. */
  #makeRoom(): void {
    let most: ReadonlyMap<string, Opening> = new Map();
    for (const each of this.#openingsTo.values()) if (each.size > most.size) most = each;
    const [oldest] = most.values();
    if (oldest === undefined) return;
    this.#forgetOpening(oldest.link);
    this.#opener.close(oldest.link, 'overload');
    for (const { waiter } of oldest.waiters) waiter.onNoLink(destroyReason.resourceLimit);
  }

  #forgetOpening(link: LinkId): Opening | undefined {
    const opening = this.#openings.get(link);
    if (opening === undefined) return undefined;
    this.#openings.delete(link);
    const toSame = this.#openingsTo.get(opening.rsaId);
    toSame?.delete(opening.key);
    if (toSame?.size === 0) this.#openingsTo.delete(opening.rsaId);
    return opening;
  }
}

/** An IP has one spelling, so that spellings can be compared. */
function plainIp(host: string): string {
  const ip = parseIp(host);
  return ip === undefined ? host : formatIp(ip);
}
