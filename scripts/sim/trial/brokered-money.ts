import { assert } from '../../../src/base/assert.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { SigningKey } from '../../../src/crypto/ecdsa.ts';
import type { BrokeredScheme } from '../../../src/payment/brokered.ts';
import type { PaymentScheme } from '../../../src/payment/scheme.ts';
import { brokeredScheme } from '../../../src/schemes/brokered.ts';
import { SeededEntropy } from '../../../src/sim/seeded-entropy.ts';
import { partyPort } from '../machine-room.ts';
import { addressOf, type PaidNetwork } from '../paid-network.ts';
import { type Accounts, BrokeredRules } from './brokered-rules.ts';
import type { Role } from './money-rules.ts';
import type { RuleBook } from './rule-book.ts';
import type { SecretRules } from './secret-rules.ts';
import { brokerAt, SimBroker } from './sim-broker.ts';
import type { TrialMoney } from './trial-money.ts';
import type { TrialPlan } from './trial-plan.ts';

/** Of the channel that a client would open: chains and coins that are lost in crashes come back only when they expire. */
const channelsWorth = 2_000n;

/** A payment system with a broker in a trial: everybody has an account there, and clients have money in theirs. */
export class BrokeredMoney implements TrialMoney {
  readonly rules: BrokeredRules;
  broker: SimBroker | undefined;
  readonly #plan: TrialPlan;
  readonly #scheme: BrokeredScheme;
  readonly #key: SigningKey;

  constructor(plan: TrialPlan, network: () => PaidNetwork, book: RuleBook, secrets: SecretRules) {
    const scheme = brokeredScheme(plan.scheme);
    assert(scheme !== undefined, 'a plan names a payment system that there is');
    this.#plan = plan;
    this.#scheme = scheme;
    this.#key = this.#keyOf('broker');
    const accounts: Accounts = {
      of: (role, index) => toHex(this.#accountOf(role, index).publicKey),
      suspects: new Set(),
    };
    this.rules = new BrokeredRules(
      book,
      secrets,
      scheme,
      accounts,
      () => network().chain,
      () => this.broker,
    );
  }

  scheme(role: Role, index: number): PaymentScheme {
    return this.#scheme.node({
      broker: { endpoint: brokerAt, key: this.#key.publicKey },
      account: this.#accountOf(role, index),
      self: { host: addressOf(role, index), port: partyPort },
      variant: this.#plan.schemeVariant,
    });
  }

  endow(network: PaidNetwork): void {
    const broker = new SimBroker(network, this.#scheme, this.#key);
    this.broker = broker;
    const sat = channelsWorth * this.#plan.channelSat;
    broker.pay(this.#key, sat);
    for (const { index } of network.clients) broker.pay(this.#accountOf('payer', index), sat);
    network.chain.mine();
    network.world.runFor(500);
  }

  /** Nobody spends as much as there is. */
  refill(): void {}

  /** What is in no block cannot be undone by another one. */
  rival(): undefined {}

  unfinished(): readonly string[] {
    return this.rules.unfinished();
  }

  #accountOf(role: Role, index: number): SigningKey {
    return this.#keyOf(`${role}${index}`);
  }

  #keyOf(name: string): SigningKey {
    return new SigningKey(new SeededEntropy(`${this.#plan.seed}/account/${name}`).bytes(32));
  }
}
