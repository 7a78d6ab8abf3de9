import type { SigningKey } from '../../crypto/ecdsa.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import type { Endpoint } from '../../ports.ts';

/** What all sides of one node know. */
export interface PPaySetup {
  readonly host: SchemeHost;
  /** The node's account: it buys, owns, holds and deposits under this key. */
  readonly account: SigningKey;
  readonly broker: { readonly endpoint: Endpoint; readonly key: Uint8Array };
  /** Where the node answers for the coins it owns. A node that takes no payments tells nobody: a client must not be found. */
  readonly self: () => Endpoint | undefined;
  /** Hands held coins on as layers, without asking anybody. */
  readonly layered: boolean;
}
