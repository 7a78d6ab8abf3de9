import type { SigningKey } from '../../crypto/ecdsa.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import type { Endpoint } from '../../ports.ts';
import type { BrokerAddress } from './ring.ts';

/** What all sides of one node know. */
export interface CPaySetup {
  readonly host: SchemeHost;
  /** Buys, holds, deposits and assists. */
  readonly account: SigningKey;
  readonly broker: BrokerAddress;
  /** Where the node is asked, if it offers to assist: a node that takes no payments does not. */
  readonly self: () => Endpoint | undefined;
  /** Coins go to keys that are used once, as payee and as buyer. */
  readonly anonymous: boolean;
  /** Assistants that must agree on payments with the coins that this node buys. */
  readonly assistants: number;
}
