import { queuedCellBytes } from '../base/limits.ts';
import type { Clock, LinkPort } from '../ports.ts';
import type { LinkState } from './link-state.ts';
import type { HeldElsewhere } from './overload.ts';

/** TLS keeps what it was given until the kernel has taken it, and what it made of that. */
const timesKept = 2;

/**
 * What waits in a node: cells in circuits' queues, and bytes that links were given and the network has not taken. How many
 * those are is asked when a link is written to, and of all links before anything is ended for it.
 */
export class HeldCells {
  readonly #port: Pick<LinkPort, 'pendingBytes'>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #cellsMax: number;
  /** In circuits' queues. */
  queued = 0;
  /** What else there must be room for. */
  elsewhere: HeldElsewhere | undefined;
  #pendingBytes = 0;

  constructor(
    { port, clock }: { readonly port: Pick<LinkPort, 'pendingBytes'>; readonly clock: Clock },
    cellsMax: number,
  ) {
    this.#port = port;
    this.#clock = clock;
    this.#cellsMax = cellsMax;
  }

  /** So many bytes are about to be written to the link. */
  writes(state: LinkState, bytes: number): void {
    this.#look(state);
    state.writtenBytes += bytes;
    state.writtenMs = this.#clock.monotonicMs();
    if (state.pendingBytes === 0) this.#waitFromLastWrite(state);
    this.#setPending(state, state.pendingBytes + bytes);
  }

  /** The link is gone, with all that it held. */
  forget(state: LinkState): void {
    this.queued -= state.scheduler.queuedCells;
    this.#setPending(state, 0);
  }

  /** True when no more than this share of what may wait does, as far as is known. */
  fits(share = 1): boolean {
    const bytes =
      this.queued * queuedCellBytes + this.#pendingBytes * timesKept + (this.elsewhere?.bytes ?? 0);
    return bytes <= this.#cellsMax * queuedCellBytes * share;
  }

  /** Asks what the network has taken of each. */
  look(links: Iterable<LinkState>): void {
    for (const state of links) this.#look(state);
  }

  /**
   * What was taken since the last look may have been taken long ago, and a little of it says nothing of the rest: a peer has
   * caught up with a time only when it has taken all that was written by then. What is left came later, by the last write.
   */
  #look(state: LinkState): void {
    this.#setPending(state, this.#port.pendingBytes(state.id));
    // The handshake's bytes may be pending too, and were not counted.
    const taken = Math.max(0, state.writtenBytes - state.pendingBytes);
    if (taken >= state.waitingBytes) this.#waitFromLastWrite(state);
  }

  #waitFromLastWrite(state: LinkState): void {
    state.waitingBytes = state.writtenBytes;
    state.waitingSinceMs = state.writtenMs;
  }

  #setPending(state: LinkState, bytes: number): void {
    this.#pendingBytes += bytes - state.pendingBytes;
    state.pendingBytes = bytes;
  }
}
