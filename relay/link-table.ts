import { toHex } from '../src/base/bytes.ts';
import { extendsPerLinkMax } from '../src/base/limits.ts';
import { destroyReason } from '../src/cell/commands.ts';
import { type LinkTarget, targetMatches } from '../src/cell/link-specifier.ts';
import type { LinkPeer } from '../src/link/link-faults.ts';
import type { Endpoint, LinkId } from '../src/ports.ts';

/** What the table needs of the link mux. */
export interface LinkOpener {
  open(to: Endpoint, expect: { readonly rsaId: Uint8Array; readonly ed25519?: Uint8Array }): LinkId;
}

/** Who waits for a link to a relay. Exactly one of the two is called, at once or later. */
export interface LinkWaiter {
  onLink(link: LinkId): void;
  /** @param reason of DESTROY; like C tor it says nothing of why there is no link. */
  onNoLink(reason: number): void;
}

interface Opening {
  readonly key: string;
  readonly target: LinkTarget;
  waiters: LinkWaiter[];
}

type RelayPeer = Extract<LinkPeer, { kind: 'relay' }>;

/**
 * Links to other relays by the identities that these have proven, so that one connection carries all circuits between
 * two relays. When both dial at once there are two; both ends then prefer the one dialled by the larger Ed25519 identity,
 * and the other is closed once it is idle.
 */
export class LinkTable {
  readonly #opener: LinkOpener;
  readonly #ownEd25519: Uint8Array;
  #preferred = new Map<string, LinkId>();
  #peers = new Map<LinkId, LinkPeer>();
  #opening = new Map<LinkId, Opening>();
  #openingByKey = new Map<string, LinkId>();
  /** Links that we opened, ready or not. */
  #dialled = new Set<LinkId>();

  constructor(opener: LinkOpener, ownEd25519: Uint8Array) {
    this.#opener = opener;
    this.#ownEd25519 = ownEd25519;
  }

  /** Who is at the other end of a ready link. */
  peerOf(link: LinkId): LinkPeer | undefined {
    return this.#peers.get(link);
  }

  /** Finds a link to the target, or opens one. */
  find(target: LinkTarget, waiter: LinkWaiter): void {
    const key = toHex(target.rsaId);
    const ready = this.#preferred.get(key);
    if (ready !== undefined) {
      this.#serve(ready, target, waiter);
      return;
    }
    let link = this.#openingByKey.get(key);
    if (link === undefined) {
      const address = target.ipv4 ?? target.ipv6;
      if (address === undefined) {
        waiter.onNoLink(destroyReason.channelClosed);
        return;
      }
      const { rsaId, ed25519 } = target;
      link = this.#opener.open(address, ed25519 === undefined ? { rsaId } : { rsaId, ed25519 });
      this.#dialled.add(link);
      this.#openingByKey.set(key, link);
      this.#opening.set(link, { key, target, waiters: [] });
    }
    const opening = this.#opening.get(link);
    if (opening === undefined || opening.waiters.length >= extendsPerLinkMax) {
      waiter.onNoLink(destroyReason.resourceLimit);
    } else {
      opening.waiters.push(waiter);
    }
  }

  onReady(link: LinkId, peer: LinkPeer): void {
    this.#peers.set(link, peer);
    const waiters = this.#takeOpening(link);
    if (peer.kind === 'relay') {
      this.#prefer(link, peer);
      // Who waits for a link of ours to that relay may as well use the one that it opened.
      const ours = this.#openingByKey.get(toHex(peer.rsaId));
      if (ours !== undefined) waiters.push(...this.#giveUpWaiters(ours));
    }
    for (const { target, waiter } of waiters) this.#serve(link, target, waiter);
  }

  onLost(link: LinkId): void {
    const peer = this.#peers.get(link);
    this.#peers.delete(link);
    this.#dialled.delete(link);
    if (peer?.kind === 'relay') this.#unprefer(link, peer);
    for (const { waiter } of this.#takeOpening(link)) waiter.onNoLink(destroyReason.channelClosed);
  }

  #serve(link: LinkId, target: LinkTarget, waiter: LinkWaiter): void {
    const peer = this.#peers.get(link);
    if (peer?.kind === 'relay' && targetMatches(target, peer.rsaId, peer.ed25519)) waiter.onLink(link);
    else waiter.onNoLink(destroyReason.channelClosed);
  }

  #prefer(link: LinkId, peer: RelayPeer): void {
    const key = toHex(peer.rsaId);
    const current = this.#preferred.get(key);
    if (current === undefined || this.#dialledByLarger(link, peer)) this.#preferred.set(key, link);
  }

  #dialledByLarger(link: LinkId, peer: RelayPeer): boolean {
    const weAreLarger = Buffer.compare(this.#ownEd25519, peer.ed25519) > 0;
    return weAreLarger === this.#dialled.has(link);
  }

  /** The preferred link is lost: another one to the same relay takes its place. */
  #unprefer(link: LinkId, peer: RelayPeer): void {
    const key = toHex(peer.rsaId);
    if (this.#preferred.get(key) !== link) return;
    this.#preferred.delete(key);
    for (const [other, otherPeer] of this.#peers) {
      if (otherPeer.kind === 'relay' && toHex(otherPeer.rsaId) === key) this.#preferred.set(key, other);
    }
  }

  #takeOpening(link: LinkId): { target: LinkTarget; waiter: LinkWaiter }[] {
    const waiters = this.#giveUpWaiters(link);
    const opening = this.#opening.get(link);
    if (opening !== undefined) this.#openingByKey.delete(opening.key);
    this.#opening.delete(link);
    return waiters;
  }

  #giveUpWaiters(link: LinkId): { target: LinkTarget; waiter: LinkWaiter }[] {
    const opening = this.#opening.get(link);
    if (opening === undefined) return [];
    const { target, waiters } = opening;
    opening.waiters = [];
    return waiters.map(waiter => ({ target, waiter }));
  }
}
