import { relayWasteFactor, wasteCellsBurst, wasteCellsPerSecond } from '../base/limits.ts';
import { TokenBucket } from '../flow/token-bucket.ts';
import type { Clock, LinkPort, Observer } from '../ports.ts';
import type { LinkState } from './link-state.ts';

/** Reads links slowly that bring cells of no use, so that TCP stops who sends them. */
export class WasteBrake {
  readonly #port: LinkPort;
  readonly #clock: Clock;
  readonly #observer: Observer;

  constructor({ port, clock, observer }: { port: LinkPort; clock: Clock; observer: Observer }) {
    this.#port = port;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** Counts cells of no use, or what is worth so many. */
  count(state: LinkState, cells: number): void {
    const factor = state.peer?.kind === 'relay' ? relayWasteFactor : 1;
    state.waste ??= new TokenBucket(this.#clock, wasteCellsPerSecond * factor, wasteCellsBurst * factor);
    if (state.waste.take(cells) || state.cancelHold !== undefined) return;
    this.#port.pause(state.id);
    this.#observer.count('naulon_links_held_total');
    this.#hold(state, state.waste);
  }

  #hold(state: LinkState, waste: TokenBucket): void {
    state.cancelHold = this.#clock.after(waste.waitMs(), () => {
      // What was read before it was paused may have come since.
      if (waste.waitMs() > 0) {
        this.#hold(state, waste);
        return;
      }
      state.cancelHold = undefined;
      this.#port.resume(state.id);
    });
  }
}
