import { relayBodyBytesMax } from '../base/limits.ts';
import { endReason } from '../cell/commands.ts';
import type { HeldElsewhere, SharedRoom, WaitingElsewhere } from '../link/overload.ts';
import type { Clock } from '../ports.ts';
import type { HeldPlace } from '../stream/held-place.ts';

/** What is waited for; it ends by saying so to its circuit. */
interface Holder {
  readonly place: HeldPlace;
  end(reason: number): void;
}

/**
 * What destinations have sent and circuits do not take yet: up to a read of the connection for each stream, however long its
 * client stands still, directory answers, and the beginnings of requests. It shares the room of the links' queues: where all is
 * too much, what has waited longest ends.
 */
export class HeldBytes implements HeldElsewhere {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #room: SharedRoom;
  /** A map from which as much is taken as is put in makes itself anew all the time, and that outlives young garbage. */
  readonly #holders: Holder[] = [];
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
    const { place } = stream;
    const more = bytes - place.bytes;
    this.#bytes += more;
    if (bytes === 0) this.#remove(place);
    else if (place.bytes === 0) {
      place.sinceMs = this.#clock.monotonicMs();
      place.at = this.#holders.push(stream) - 1;
    }
    place.bytes = bytes;
    if (more > 0) this.#room.taken();
  }

  *waits(nowMs: number): Generator<WaitingElsewhere> {
    for (const stream of this.#holders) {
      const { bytes, sinceMs } = stream.place;
      // The end of one with less than a cell gives nearly nothing back: all else goes before it.
      const waitedMs = bytes < relayBodyBytesMax ? 0 : nowMs - sinceMs;
      yield { waitedMs, end: () => stream.end(endReason.resourceLimit) };
    }
  }

  #remove(place: HeldPlace): void {
    if (place.bytes === 0) return;
    const last = this.#holders.pop() as Holder;
    if (last.place === place) return;
    this.#holders[place.at] = last;
    last.place.at = place.at;
  }
}
