import { chainSilenceMsMax } from '../../base/limits.ts';
import type { Answer, AskId, Clock } from '../../ports.ts';

/**
 * Whether the chain answers. Blocks may be hours apart, so silence alone says nothing: after a while of it a payment
 * makes the payee ask, and a chain that cannot be reached stops payments, because T may be near unseen.
 */
export class ChainHealth {
  readonly #clock: Clock;
  #heardMs: number;
  #askedMs = Number.NEGATIVE_INFINITY;
  #probe: AskId | undefined;
  #down = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#heardMs = clock.monotonicMs();
  }

  get isDown(): boolean {
    return this.#down;
  }

  onNews(): void {
    this.#heardMs = this.#clock.monotonicMs();
    this.#down = false;
  }

  onAnswer(answer: Answer): void {
    if (answer.kind === 'stored') return;
    if (answer.kind === 'broadcast') return;
    if (answer.ask === this.#probe) this.#probe = undefined;
    if (answer.fault === undefined) this.onNews();
    else this.#down = true;
  }

  /** Asks by `send` when it was silent for long, once a while. */
  probe(send: () => AskId): void {
    const now = this.#clock.monotonicMs();
    if (this.#probe !== undefined) return;
    if (now - this.#heardMs < chainSilenceMsMax || now - this.#askedMs < chainSilenceMsMax / 10) return;
    this.#askedMs = now;
    this.#probe = send();
  }
}
