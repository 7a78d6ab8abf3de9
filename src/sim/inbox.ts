import type { CloseReason } from '../ports.ts';
import type { SimNode } from './sim-node.ts';

/** What travels from one end of a connection to the other, in order. */
export type Parcel =
  | { readonly kind: 'opened' | 'ended' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'closed'; readonly why: CloseReason };

interface Arriving {
  readonly parcel: Parcel;
  readonly arrivesUs: number;
}

/**
 * The receiving side of one end: parcels arrive in the order in which they were sent, one a turn of the node. While
 * paused, bytes wait here, and with them all that came after them.
 */
export class Inbox {
  readonly #node: SimNode;
  readonly #deliver: (parcel: Parcel) => void;
  #waiting: Arriving[] = [];
  #lastArrivalUs = 0;
  #paused = false;
  #closed = false;
  #delivering = false;

  /** @param deliver called in a turn of `node`. */
  constructor(node: SimNode, deliver: (parcel: Parcel) => void) {
    this.#node = node;
    this.#deliver = deliver;
  }

  /** A parcel that arrives `delayUs` from now, or later when others are still before it. */
  push(parcel: Parcel, delayUs: number): void {
    if (this.#closed) return;
    const { nowUs } = this.#node.world;
    this.#lastArrivalUs = Math.max(this.#lastArrivalUs, nowUs + delayUs);
    this.#waiting.push({ parcel, arrivesUs: this.#lastArrivalUs });
    this.#node.later(this.#lastArrivalUs - nowUs, () => this.#deliverNext());
  }

  /** Drops what has not been delivered; `parcel` comes next. */
  replaceWith(parcel: Parcel, delayUs: number): void {
    this.#waiting = [];
    this.#lastArrivalUs = 0;
    this.push(parcel, delayUs);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliverSoon();
  }

  /** Nothing is delivered from here on. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  #due(): Parcel | undefined {
    const head = this.#waiting[0];
    if (head === undefined || head.arrivesUs > this.#node.world.nowUs) return undefined;
    const held = this.#paused && (head.parcel.kind === 'bytes' || head.parcel.kind === 'ended');
    return held ? undefined : head.parcel;
  }

  #deliverNext(): void {
    const parcel = this.#due();
    if (parcel === undefined) return;
    this.#waiting.shift();
    this.#deliverSoon();
    this.#deliver(parcel);
  }

  /** Makes sure that a parcel whose arrival has passed unused (while paused) gets a turn. */
  #deliverSoon(): void {
    if (this.#delivering || this.#due() === undefined) return;
    this.#delivering = true;
    this.#node.later(0, () => {
      this.#delivering = false;
      this.#deliverNext();
    });
  }
}
