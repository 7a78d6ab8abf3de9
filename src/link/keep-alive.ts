import { keepalivePeriodMs } from '../base/limits.ts';
import type { Cancel, Clock, LinkId } from '../ports.ts';
import type { LinkState } from './link-state.ts';

/** Periods in which a link must have taken something that waits for it; C tor: ten. */
const stuckPeriods = 10;

export interface KeptLinks {
  readonly clock: Clock;
  readonly links: ReadonlyMap<LinkId, LinkState>;
  /** A cell that says nothing. */
  pad(state: LinkState): void;
  onStuck(state: LinkState): void;
}

/**
 * Has each open link written to every few minutes: a peer that has gone without a word, whose circuits nobody uses just now, is
 * noticed by TCP alone, when it is sent something and does not acknowledge it. A link that takes nothing for long is given up, whatever
 * TCP thinks of it. Source: tor(1), KeepalivePeriod; spec: tor-spec/channel-padding (link keep-alive)
 */
export class KeepAlive {
  readonly #kept: KeptLinks;
  #timer: Cancel | undefined;

  constructor(kept: KeptLinks) {
    this.#kept = kept;
  }

  /** A link is open. */
  watch(): void {
    this.#timer ??= this.#kept.clock.after(keepalivePeriodMs / 2, () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = this.#kept.clock.monotonicMs();
    for (const state of [...this.#kept.links.values()]) {
      if (state.peer === undefined) continue;
      this.watch();
      const silentMs = nowMs - Math.max(state.writtenMs, state.idleSinceMs);
      if (silentMs < keepalivePeriodMs) continue;
      if (!state.full) this.#kept.pad(state);
      else if (silentMs >= stuckPeriods * keepalivePeriodMs) this.#kept.onStuck(state);
    }
  }
}
