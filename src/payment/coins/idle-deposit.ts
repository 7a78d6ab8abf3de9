import type { Cancel, Clock } from '../../ports.ts';
import type { SessionId } from '../scheme.ts';

/** Coins are handed in once nobody has paid for so long: until then they may be spent elsewhere, and one by one they would cost more. */
const idleMs = 3_000;

/** When a payee hands in what it earned: a while after its last session has ended. */
export class IdleDeposit {
  readonly #clock: Clock;
  readonly #deposit: () => void;
  readonly #open = new Set<SessionId>();
  #cancel: Cancel | undefined;

  constructor(clock: Clock, deposit: () => void) {
    this.#clock = clock;
    this.#deposit = deposit;
  }

  /** A session pays. */
  paid(session: SessionId): void {
    this.#open.add(session);
    this.#cancel?.();
    this.#cancel = undefined;
  }

  ended(session: SessionId): void {
    if (this.#open.delete(session)) this.left();
  }

  /** Something is held that no session will end with: of an earlier life, or of a circuit that was gone when it came. */
  left(): void {
    if (this.#open.size > 0) return;
    this.#cancel?.();
    this.#cancel = this.#clock.after(idleMs, () => {
      this.#cancel = undefined;
      this.#deposit();
    });
  }
}
