import { toHex } from '../base/bytes.ts';
import type { Answer, ChainEvent } from '../ports.ts';
import { CommitQueue } from './commit-queue.ts';
import { PayerSession, type PayerSessionHost } from './payer-session.ts';
import type { Price } from './price.ts';
import type { Payer, PaymentScheme, SchemeHost, SessionId, Value } from './scheme.ts';
import { type CircuitAllowance, Spending, type SpendingLimits } from './spending.ts';
import type { WindowChoice } from './top-up.ts';

export interface PayerDeskOptions extends SchemeHost {
  readonly schemes: readonly PaymentScheme[];
  readonly limits: SpendingLimits;
}

/** One hop to be paid. */
export interface PaidHop {
  readonly scheme: number;
  /** The relay's Ed25519 identity. */
  readonly ed25519: Uint8Array;
  readonly price: Price;
  readonly window: WindowChoice;
  /** Value that the hop may ever need on this circuit: the size of its channel, for schemes that lock value up. */
  readonly budget: Value;
  readonly allowance: CircuitAllowance;
}

/** A client's purse: the payers of its schemes, and a session for each paid hop of each circuit. */
export class PayerDesk {
  readonly #options: PayerDeskOptions;
  readonly #payers: ReadonlyMap<number, Payer>;
  readonly commits: CommitQueue;
  readonly #spending: Spending;
  readonly #sessions = new Map<SessionId, PayerSession>();
  #lastSession = 0;

  constructor(options: PayerDeskOptions) {
    const { schemes, limits, clock, store, chain, newAsk } = options;
    this.#options = options;
    this.commits = new CommitQueue(store, newAsk);
    this.#spending = new Spending(limits, clock, store);
    const host: SchemeHost = { ...options, store: this.commits.store, chain: this.commits.chain(chain) };
    this.#payers = new Map(schemes.map(scheme => [scheme.id, scheme.payer(host)]));
  }

  /** True when the client can pay by this scheme. */
  has(scheme: number): boolean {
    return this.#payers.has(scheme);
  }

  /** Undefined: the client has no such scheme. The session pays once started. */
  open(host: PayerSessionHost, hop: PaidHop): PayerSession | undefined {
    const payer = this.#payers.get(hop.scheme);
    if (payer === undefined) return undefined;
    this.#lastSession += 1;
    const id = this.#lastSession;
    payer.begin(id, { ed25519: hop.ed25519 }, hop.budget);
    const session = new PayerSession({
      id,
      host,
      payer,
      relay: toHex(hop.ed25519),
      price: hop.price,
      window: hop.window,
      allowance: hop.allowance,
      spending: this.#spending,
      commits: this.commits,
      clock: this.#options.clock,
      onEnded: () => this.#sessions.delete(id),
    });
    this.#sessions.set(id, session);
    return session;
  }

  /** True when the answer was for this desk. */
  onAnswer(answer: Answer): boolean {
    if (this.commits.onAnswer(answer)) return true;
    for (const payer of this.#payers.values()) {
      const outcome = payer.onAnswer(answer);
      if (outcome === undefined) continue;
      this.#sessions.get(outcome.session)?.onOutcome(outcome.result);
      return true;
    }
    return false;
  }

  onChain(event: ChainEvent): void {
    for (const payer of this.#payers.values()) payer.onChain(event);
  }
}
