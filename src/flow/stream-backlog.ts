import { assert } from '../base/assert.ts';
import { congestionCellsMax, relayBodyBytesMax } from '../base/limits.ts';
import type { Clock } from '../ports.ts';
import type { FlowFault, StreamReceiver, StreamSignal } from './flow-control.ts';

/** Rates beyond this are not worth telling. */
const rateMax = 1_000_000;

/** What the streams of one circuit hold beyond the length at which each told its far end to stop. */
export class BacklogRoom {
  #bytes = congestionCellsMax * relayBodyBytesMax;

  /** False: there is none left. A far end that keeps to its window never needs so much. */
  take(bytes: number): boolean {
    this.#bytes -= bytes;
    return this.#bytes >= 0;
  }

  give(bytes: number): void {
    this.#bytes += bytes;
  }
}

export interface StreamBacklogOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly room: BacklogRoom;
  /** Bytes that wait when the far end is told to stop. */
  readonly xoffBytes: number;
  /** Bytes that must have passed without waiting before a higher rate is told. */
  readonly xonRateBytes: number;
}

/**
 * The receiving side of a stream without window: what nobody reads waits, and beyond a certain length the far end is told
 * to stop (XOFF) until it has been read. XON tells at what rate it was; once nothing waits any more, the rate that was told
 * is doubled again and again. spec: proposal 324, 4.1
 */
export class StreamBacklog implements StreamReceiver {
  readonly #options: StreamBacklogOptions;
  /** Bytes that came since the reader was last full, and since when. */
  #waiting = 0;
  #sinceMs = 0;
  #stopped = false;
  /** As measured or raised, and as told; in bytes a millisecond, 0 without limit. */
  #rate = 0;
  #told = 0;
  #passed = 0;

  constructor(options: StreamBacklogOptions) {
    this.#options = options;
  }

  /** A whole window of the circuit may be under way for one of its streams. */
  get cells(): number {
    return congestionCellsMax;
  }

  deliver(_cells: number, bytes: number, full: boolean): FlowFault | undefined {
    if (!full) {
      this.#pass(bytes);
      return undefined;
    }
    const { room, clock } = this.#options;
    if (this.#waiting === 0) this.#sinceMs = clock.monotonicMs();
    const before = this.#excess;
    this.#waiting += bytes;
    return room.take(this.#excess - before) ? undefined : { code: 'DATA_BEYOND_WINDOW' };
  }

  drained(): void {
    const { room, clock } = this.#options;
    if (this.#stopped) {
      const elapsedMs = Math.max(clock.monotonicMs() - this.#sinceMs, 1);
      const rate = Math.max(Math.floor(this.#waiting / elapsedMs), 1);
      this.#rate = rate > rateMax ? 0 : rate;
    }
    room.give(this.#excess);
    this.#waiting = 0;
    this.#passed = 0;
  }

  get due(): boolean {
    return false;
  }

  acknowledge(): void {
    assert(false, 'such a stream has no SENDMEs');
  }

  signal(): StreamSignal | undefined {
    if (!this.#stopped && this.#excess > 0) {
      this.#stopped = true;
      return { kind: 'xoff' };
    }
    if (this.#stopped ? this.#waiting > 0 : this.#rate === this.#told) return undefined;
    this.#stopped = false;
    this.#told = this.#rate;
    return { kind: 'xon', rate: this.#rate };
  }

  stop(): void {
    this.#options.room.give(this.#excess);
    this.#waiting = 0;
  }

  get #excess(): number {
    return Math.max(this.#waiting - this.#options.xoffBytes, 0);
  }

  /** Bytes were taken at once. */
  #pass(bytes: number): void {
    if (this.#told === 0) return;
    this.#passed += bytes;
    if (this.#passed < this.#options.xonRateBytes) return;
    this.#passed = 0;
    this.#rate = 2 * this.#rate > rateMax ? 0 : 2 * this.#rate;
  }
}
