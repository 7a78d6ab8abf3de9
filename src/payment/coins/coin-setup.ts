import type { SigningKey } from '../../crypto/ecdsa.ts';
import type { Endpoint } from '../../ports.ts';
import type { SchemeHost } from '../scheme.ts';

/** What all sides of one node of coins know. */
export interface CoinSetup {
  readonly host: SchemeHost;
  /** The node's account at the broker: it buys and deposits under this key. */
  readonly account: SigningKey;
  readonly broker: { readonly endpoint: Endpoint; readonly key: Uint8Array };
  /** Where the node is asked for what it manages. A node that takes no payments tells nobody: a client must not be found. */
  readonly self: () => Endpoint | undefined;
  /** True for a node that pays too: what it was paid with it may pay with. */
  readonly pays: () => boolean;
  readonly variant: string | undefined;
}
