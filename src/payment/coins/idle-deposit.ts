import type { Cancel, Clock } from '../../ports.ts';
import type { SessionId } from '../scheme.ts';

/** Coins are handed in once nobody has paid for so long: one by one they would cost more. */
const idleMs = 3_000;
/** By a node that pays too, so long after that: until then it may spend them elsewhere. */
const keptMs = 86_400_000;

/** When a payee hands in what it earned: a while after its last session has ended. */
export class IdleDeposit {
  readonly #clock: Clock;
  readonly #pays: () => boolean;
  readonly #deposit: () => void;
  readonly #open = new Set<SessionId>();
  #cancel: Cancel | undefined;

  /** @param pays true for a node that pays too. */
  constructor(clock: Clock, pays: () => boolean, deposit: () => void) {
    this.#clock = clock;
    this.#pays = pays;
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
    // Asked then: the payer may be made after the payee.
    this.#after(idleMs, () => {
      if (this.#pays()) this.#after(keptMs, this.#deposit);
      else this.#deposit();
    });
  }

  #after(ms: number, run: () => void): void {
    this.#cancel?.();
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = undefined;
      run();
    });
  }
}
