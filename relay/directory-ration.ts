import { directoryStreamsPerMinuteMax } from '../src/base/limits.ts';
import type { Clock } from '../src/ports.ts';

const minuteMs = 60_000;

/** Directory streams are served for nothing, so each address gets so many a minute. */
export class DirectoryRation {
  readonly #clock: Clock;
  #used = new Map<string, number>();
  #minute = -1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a stream of that address; false: it has had its share of this minute. */
  take(address: string): boolean {
    const minute = Math.floor(this.#clock.monotonicMs() / minuteMs);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#used.clear();
    }
    const used = this.#used.get(address) ?? 0;
    if (used >= directoryStreamsPerMinuteMax) return false;
    this.#used.set(address, used + 1);
    return true;
  }

  /** The stream has turned out to ask for no document. */
  giveBack(address: string): void {
    const used = this.#used.get(address) ?? 0;
    if (used > 0) this.#used.set(address, used - 1);
  }
}
