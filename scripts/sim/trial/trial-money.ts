import type { PaymentScheme } from '../../../src/payment/scheme.ts';
import type { SeededEntropy } from '../../../src/sim/seeded-entropy.ts';
import type { PaidNetwork } from '../paid-network.ts';
import type { Rival } from './double-spend.ts';
import type { MoneyRules, Role } from './money-rules.ts';
import type { SimBroker } from './sim-broker.ts';

/** A payment system in a trial: how nodes run it, where their money comes from, and which rules hold for it. */
export interface TrialMoney {
  readonly rules: MoneyRules;
  /** Who issues and takes back what is paid with, where somebody does. */
  readonly broker: SimBroker | undefined;
  /** For one life of a node. */
  scheme(role: Role, index: number): PaymentScheme;
  /** Gives everybody money; runs until it is there. */
  endow(network: PaidNetwork): void;
  /** Gives more to clients that may have spent all, before they are to show that they are served. */
  refill(): void;
  /** What another branch of the chain needs to undo a payment of a client that cheats; undefined: there is none. */
  rival(draw: SeededEntropy): Rival | undefined;
  /** Money that has not come to where it belongs, one line each. */
  unfinished(): readonly string[];
}
