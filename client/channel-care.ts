import type { Cancel, Clock, Observer } from '../src/ports.ts';
import type { ChannelMoney } from './channel-money.ts';

/** How often channels are looked through, and how long one that could not be closed is left alone. */
const careMs = 10_000;
const retryMs = 300_000;

/**
 * Closes channels that were paid on and that no circuit uses any more, as a crash leaves them. What cannot be closed
 * comes back by its refund after T, which the scheme sees to.
 */
export class ChannelCare {
  readonly #money: ChannelMoney;
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #notBeforeMs = new Map<string, number>();
  #timer: Cancel | undefined;

  constructor(money: ChannelMoney, clock: Clock, observer: Observer) {
    this.#money = money;
    this.#clock = clock;
    this.#observer = observer;
  }

  start(): void {
    this.#timer = this.#clock.after(careMs, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.();
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const row of this.#money.leftOver()) {
      if (nowMs < (this.#notBeforeMs.get(row.channel) ?? 0)) continue;
      this.#notBeforeMs.set(row.channel, nowMs + retryMs);
      this.#money.close(row, result => {
        const code = result.ok ? 'ok' : result.fault.code;
        this.#observer.log('info', 'left channel closed', { code });
      });
    }
  }
}
