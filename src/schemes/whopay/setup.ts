import type { SigningKey } from '../../crypto/ecdsa.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import type { Endpoint } from '../../ports.ts';

/** What all sides of one node know. */
export interface WhoPaySetup {
  readonly host: SchemeHost;
  /** Buys and deposits; nobody but the broker sees it. */
  readonly account: SigningKey;
  readonly broker: { readonly endpoint: Endpoint; readonly key: Uint8Array };
  /** Where the node answers for the coins it owns. A node that takes no payments tells nobody: a payer is not to be found. */
  readonly self: () => Endpoint | undefined;
}
