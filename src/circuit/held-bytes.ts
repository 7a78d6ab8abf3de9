import { relayBodyBytesMax } from '../base/limits.ts';
import { endReason } from '../cell/commands.ts';
import type { HeldElsewhere, SharedRoom, WaitingElsewhere } from '../link/overload.ts';
import type { Clock } from '../ports.ts';

/** What is waited for; it ends by saying so to its circuit. */
interface Holder {
  end(reason: number): void;
}

interface Held {
  bytes: number;
  /** When the first of them came. Its connection is paused until the last is gone, so that none is much younger. */
  readonly sinceMs: number;
}

/**
 * What destinations have sent and circuits do not take yet: up to a read of the connection for each stream, however long its
 * client stands still, directory answers, and the beginnings of requests. It shares the room of the links' queues: where all is
 * too much, what has waited longest ends.
 */
export class HeldBytes implements HeldElsewhere {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #room: SharedRoom;
  readonly #held = new Map<Holder, Held>();
  #bytes = 0;

  constructor(clock: Pick<Clock, 'monotonicMs'>, room: SharedRoom) {
    this.#clock = clock;
    this.#room = room;
    room.share(this);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param bytes that wait in the stream now; it has just taken, or been given, some. */
  holds(stream: Holder, bytes: number): void {
    const held = this.#held.get(stream);
    const more = bytes - (held?.bytes ?? 0);
    this.#bytes += more;
    if (bytes === 0) this.#held.delete(stream);
    else if (held !== undefined) held.bytes = bytes;
    else this.#held.set(stream, { bytes, sinceMs: this.#clock.monotonicMs() });
    if (more > 0) this.#room.taken();
  }

  *waits(nowMs: number): Generator<WaitingElsewhere> {
    for (const [stream, { bytes, sinceMs }] of this.#held) {
      // The end of one with less than a cell gives nearly nothing back: all else goes before it.
      const waitedMs = bytes < relayBodyBytesMax ? 0 : nowMs - sinceMs;
      yield { waitedMs, end: () => stream.end(endReason.resourceLimit) };
    }
  }
}
