import type { PaymentScheme, SessionId } from '../../../src/payment/scheme.ts';
import type { StoreWrite } from '../../../src/ports.ts';
import type { SimChain } from '../../../src/sim/sim-chain.ts';
import type { RuleBook } from './rule-book.ts';

/** Which side of a payment a node is on: a client pays, a relay is paid. */
export type Role = 'payer' | 'payee';

/** What of a trial excuses whom. */
export interface Weather {
  /** True for a relay whose word means nothing. */
  lies(relay: number): boolean;
  /** A loss in a refund race is a fault of the weather, not of the program, when anything hindered that relay, or the chain, at one of these heights. */
  hindered(relay: number, fromHeight: number, toHeight: number): boolean;
}

/** The rules of money, as they are for one payment system, held at the seam of its scheme and at all disks. */
export interface MoneyRules {
  /** Looks on at the seam. @param life makes the sessions of one node's lives differ. */
  watched(scheme: PaymentScheme, role: Role, index: number, life: string): PaymentScheme;
  /** What is durable now, at a client or a relay. */
  stored(role: Role, index: number, writes: readonly StoreWrite[]): void;
  /** That node's disk holds what it held before: what it has promised since it does not know. */
  putBack(role: Role, index: number): void;
  /** A relay adds value to the balance of a circuit. */
  credited(life: string, session: SessionId, msat: bigint): void;
  /** Payments that were in no block when the margin before T began, and came into one all the same, or back. */
  readonly races: number;
  /** Rules that concern everything: to be asked now and then, and at the end. */
  all(): void;
}

/** Rule I1 for the chain itself: no satoshi comes from nowhere, none is lost. */
export function holdConserved(book: RuleBook, chain: SimChain): void {
  const [unspent, fees, issued] = [chain.unspentSat(), chain.feesSat(), chain.issuedSat()];
  book.hold(
    unspent + fees === issued,
    'I1',
    () => `${issued} sat issued, ${unspent} unspent, ${fees} in fees`,
  );
}
