import type { SigningKey } from '../crypto/ecdsa.ts';
import type { Endpoint } from '../ports.ts';
import type { BrokerHost, BrokerSide } from './broker-side.ts';
import type { CheatProof, Verdict } from './proof.ts';
import type { PaymentScheme, Value } from './scheme.ts';

/** What a node that uses a broker is told. */
export interface BrokeredOptions {
  /** Where the broker is asked, and the public key that it issues under. */
  readonly broker: { readonly endpoint: Endpoint; readonly key: Uint8Array };
  /** The node's account there. */
  readonly account: SigningKey;
  /** Where this node is asked by others. */
  readonly self: Endpoint;
  /** One of the scheme's variants. */
  readonly variant: string | undefined;
}

/** What one node earned and gave away, by its own records. */
export interface BrokeredDesk {
  /** Value ever received of others, and ever given to others. */
  readonly receivedMsat: Value;
  readonly partedMsat: Value;
  /** Value that may be spent without buying: what was bought, and for schemes whose money goes from hand to hand what was earned. */
  readonly spendableMsat: Value;
  /** Hands in to the broker all that was earned. */
  deposit(): void;
}

/** A scheme as one node runs it. */
export interface BrokeredNode extends PaymentScheme {
  readonly desk: BrokeredDesk;
}

/** A payment system with a broker behind it, all its sides together. */
export interface BrokeredScheme {
  /** First byte of every payment and target, and what its parties are asked by. */
  readonly id: number;
  readonly name: string;
  /** Ways of paying that a node may choose between, the usual one first; none when there is but one. */
  readonly variants: readonly string[];
  /** For one life of one node. */
  node(options: BrokeredOptions): PaymentScheme;
  /** For one life of a broker. */
  broker(host: BrokerHost): BrokerSide;
  /** Whom a proof of a breach of this scheme's rules convicts. */
  judge(proof: CheatProof): Verdict;
}
