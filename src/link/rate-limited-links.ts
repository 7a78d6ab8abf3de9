import { assert } from '../base/assert.ts';
import { rateTurnBytes, rateTurnMs } from '../base/limits.ts';
import { TokenBucket } from '../flow/token-bucket.ts';
import type { Clock, CloseReason, Endpoint, LinkFacts, LinkHandler, LinkId, LinkPort } from '../ports.ts';

export interface RateLimit {
  /** Bytes a second in each direction, over all links together. torrc BandwidthRate */
  readonly rate: number;
  /** Bytes in each direction that may go at once after a time without any. torrc BandwidthBurst */
  readonly burst: number;
  /** Whether a link to or from there counts. torrc CountPrivateBandwidth */
  counts(peer: Endpoint): boolean;
}

/**
 * Links that keep to a rate, between a node's link mux and its port: two buckets, for what is read and what is written. Once
 * one is empty, a link that writes is told that it is full, and one that brings bytes is paused; in turn they go on as the
 * buckets fill. A write is taken whole, so that each link may overdraw once before it waits. What TLS and TCP add is not counted.
 * Source: tor(1), BandwidthRate, BandwidthBurst.
 */
export class RateLimitedLinks implements LinkPort, LinkHandler {
  readonly #port: LinkPort;
  readonly #limit: RateLimit;
  readonly #reading: Ration;
  readonly #writing: Ration;
  readonly #uncounted = new Set<LinkId>();
  #handler: LinkHandler | undefined;

  constructor(port: LinkPort, clock: Clock, limit: RateLimit) {
    this.#port = port;
    this.#limit = limit;
    this.#reading = new Ration(clock, limit, link => port.resume(link));
    this.#writing = new Ration(clock, limit, link => this.#to.onWritable(link));
  }

  /** Who hears of the links; set before any is opened. */
  attach(handler: LinkHandler): void {
    this.#handler = handler;
  }

  open(to: Endpoint): LinkId {
    const link = this.#port.open(to);
    if (!this.#limit.counts(to)) this.#uncounted.add(link);
    return link;
  }

  write(link: LinkId, bytes: Uint8Array): boolean {
    const taken = this.#port.write(link, bytes);
    if (this.#uncounted.has(link)) return taken;
    const left = this.#writing.take(bytes.length);
    // A port that is full says itself when it no longer is.
    if (taken && !left) this.#writing.wait(link);
    else this.#writing.forget(link);
    return taken && left;
  }

  pendingBytes(link: LinkId): number {
    return this.#port.pendingBytes(link);
  }

  pause(link: LinkId): void {
    this.#reading.forget(link);
    this.#port.pause(link);
  }

  resume(link: LinkId): void {
    if (this.#uncounted.has(link)) this.#port.resume(link);
    else this.#reading.admit(link);
  }

  close(link: LinkId, why: CloseReason): void {
    this.#forget(link);
    this.#port.close(link, why);
  }

  facts(link: LinkId): LinkFacts {
    return this.#port.facts(link);
  }

  onAccepted(link: LinkId, from: Endpoint): void {
    if (!this.#limit.counts(from)) this.#uncounted.add(link);
    this.#to.onAccepted(link, from);
  }

  onOpen(link: LinkId): void {
    this.#to.onOpen(link);
  }

  onBytes(link: LinkId, bytes: Uint8Array): void {
    if (!this.#uncounted.has(link) && !this.#reading.take(bytes.length)) {
      this.#port.pause(link);
      this.#reading.wait(link);
    }
    this.#to.onBytes(link, bytes);
  }

  onWritable(link: LinkId): void {
    if (this.#uncounted.has(link)) this.#to.onWritable(link);
    else this.#writing.admit(link);
  }

  onClosed(link: LinkId, why: CloseReason): void {
    this.#forget(link);
    this.#to.onClosed(link, why);
  }

  #forget(link: LinkId): void {
    this.#uncounted.delete(link);
    this.#writing.forget(link);
    this.#reading.forget(link);
  }

  get #to(): LinkHandler {
    assert(this.#handler !== undefined, 'a link handler is attached');
    return this.#handler;
  }
}

/** One direction of all links. */
class Ration {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  readonly #go: (link: LinkId) => void;
  /** Who came first goes first. */
  readonly #waiting = new Set<LinkId>();
  #turnComes = false;

  /** @param go lets a link that has waited do something; how much it was is told later, by `take`. */
  constructor(clock: Clock, { rate, burst }: RateLimit, go: (link: LinkId) => void) {
    this.#clock = clock;
    this.#bucket = new TokenBucket(clock, rate, burst);
    this.#go = go;
  }

  take(bytes: number): boolean {
    return this.#bucket.take(bytes);
  }

  /** Now, or when its turn comes. */
  admit(link: LinkId): void {
    if (this.#bucket.level() > 0) this.#go(link);
    else this.wait(link);
  }

  wait(link: LinkId): void {
    this.#waiting.add(link);
    if (this.#turnComes) return;
    this.#turnComes = true;
    this.#clock.after(Math.max(this.#bucket.waitMs(), rateTurnMs), () => this.#turn());
  }

  forget(link: LinkId): void {
    this.#waiting.delete(link);
  }

  #turn(): void {
    this.#turnComes = false;
    // What goes on may take at once what it was let go for, or later.
    let left = this.#bucket.level();
    for (const link of this.#waiting) {
      if (Math.min(left, this.#bucket.level()) <= 0) break;
      left -= rateTurnBytes;
      this.#waiting.delete(link);
      this.#go(link);
    }
    for (const link of this.#waiting) {
      this.wait(link);
      break;
    }
  }
}
