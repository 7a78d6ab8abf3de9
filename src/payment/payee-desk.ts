import type { Answer, ChainEvent, Clock } from '../ports.ts';
import type { CellBalance } from './cell-balance.ts';
import { CommitQueue } from './commit-queue.ts';
import { type PayeeCounter, PayeeSession, type PayeeSessionHost } from './payee-session.ts';
import type { Payee, PayeeSigner, PaymentScheme, SchemeHost, SessionId } from './scheme.ts';

export interface PayeeDeskOptions extends SchemeHost {
  /** The first is the one whose target an empty REDEEM is answered with. */
  readonly schemes: readonly PaymentScheme[];
  readonly signer: PayeeSigner;
}

/** A relay's counter for payments: the payees of its schemes, and a session for each paid circuit. */
export class PayeeDesk implements PayeeCounter {
  readonly clock: Clock;
  readonly payees: ReadonlyMap<number, Payee>;
  readonly commits: CommitQueue;
  readonly #sessions = new Map<SessionId, PayeeSession>();
  #lastSession = 0;

  constructor(options: PayeeDeskOptions) {
    const { schemes, signer, store, chain, newAsk } = options;
    this.clock = options.clock;
    this.commits = new CommitQueue(store, newAsk);
    const host: SchemeHost = { ...options, store: this.commits.store, chain: this.commits.chain(chain) };
    this.payees = new Map(schemes.map(scheme => [scheme.id, scheme.payee(host, signer)]));
  }

  open(host: PayeeSessionHost, balance: CellBalance): PayeeSession {
    this.#lastSession += 1;
    const id = this.#lastSession;
    const session = new PayeeSession(this, id, host, balance);
    this.#sessions.set(id, session);
    return session;
  }

  ended(session: SessionId): void {
    this.#sessions.delete(session);
  }

  /** True when the answer was for this desk. */
  onAnswer(answer: Answer): boolean {
    if (this.commits.onAnswer(answer)) return true;
    for (const payee of this.payees.values()) {
      const outcome = payee.onAnswer(answer);
      if (outcome === undefined) continue;
      const { session, result } = outcome;
      const waiting = this.#sessions.get(session);
      if (waiting !== undefined) waiting.onOutcome(result);
      // Its circuit is gone, but what it paid is paid.
      else if (result.kind === 'added') this.commits.commit(result.persist, () => {});
      return true;
    }
    return false;
  }

  onChain(event: ChainEvent): void {
    for (const payee of this.payees.values()) payee.onChain(event);
  }
}
