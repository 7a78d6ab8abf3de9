import { type ChannelState, endedPhase, newChannel } from '../../bitcoin/channel-machine.ts';
import type { ChannelRules } from '../../bitcoin/channel-rules.ts';
import { contractOutputScript } from '../../bitcoin/contract-tx.ts';
import type { HdKey, KeyPair } from '../../bitcoin/keys.ts';
import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import type { SessionId } from '../../payment/scheme.ts';
import { type BestPayment, bestKey, type ChannelRecord, type Role } from './channel-record.ts';
import type { FeeChild } from './fee-child.ts';
import { channelId, type Network } from './messages.ts';
import { OwnTransactions } from './own-transactions.ts';

export interface ChannelMaking {
  readonly role: Role;
  readonly network: Network;
  readonly rules: ChannelRules;
  /** Channel keys are its named children. */
  readonly keyRoot: HdKey;
}

/**
 * A channel in memory; the record is what is durable of it, or is about to be. What follows from the record alone is made
 * when it is asked for: a node that starts again has many channels, of which few will do anything.
 */
export class Channel {
  readonly id: Uint8Array;
  readonly contractScript: Uint8Array;
  /** The node's rules with the confirmations agreed on. */
  readonly rules: ChannelRules;
  readonly bestKey: string;
  record: ChannelRecord;
  best: BestPayment;
  state: ChannelState;
  session: SessionId | undefined;
  /** Payer: what the payee last said it holds. */
  acknowledgedSat = 0n;
  /** Payer: the payee does not know the channel any more. */
  disowned = false;
  /** Payee: the child that raises the settlement's fee. */
  bump: FeeChild | undefined;
  readonly #keyRoot: HdKey;
  #keys: KeyPair | undefined;
  #payments: PaymentTemplate | undefined;
  #refund: RefundTemplate | undefined;
  #own: OwnTransactions | undefined;

  constructor({ role, network, rules, keyRoot }: ChannelMaking, record: ChannelRecord, best: BestPayment) {
    const { terms, minConfirmations, stored, ending, accepted, closeAsked } = record;
    this.id = channelId(network, terms.outpoint);
    this.contractScript = contractOutputScript(terms);
    this.rules = { ...rules, minConfirmations };
    this.bestKey = bestKey(role, this.id);
    this.record = record;
    this.best = best;
    const fresh = newChannel(role, terms.refundHeight, stored);
    const phase = ending === undefined ? fresh.phase : endedPhase(ending.how);
    this.state = { ...fresh, phase, accepted, closeAsked, wasGood: accepted, paidSat: best.paidSat, ending };
    this.#keyRoot = keyRoot;
  }

  get keys(): KeyPair {
    this.#keys ??= this.#keyRoot.named(this.record.keyName).keyPair();
    return this.#keys;
  }

  get payments(): PaymentTemplate {
    this.#payments ??= new PaymentTemplate(this.record.terms);
    return this.#payments;
  }

  get refund(): RefundTemplate {
    this.#refund ??= new RefundTemplate(this.record.terms);
    return this.#refund;
  }

  get own(): OwnTransactions {
    this.#own ??= new OwnTransactions(this.keys, this.payments, this.refund);
    return this.#own;
  }
}
