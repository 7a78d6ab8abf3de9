import { fixedBytes, sizedBytes, u16 } from '../base/struct.ts';
import type { SigningKey } from '../crypto/ecdsa.ts';
import type { Entropy } from '../ports.ts';
import { publicKeyBytes, statement } from './statement.ts';

/** What an account holder asks of a broker. `id` is fresh for each request, and the same when it is sent again. */
export const accountRequest = statement('account request', {
  account: fixedBytes(publicKeyBytes),
  id: fixedBytes(16),
  body: sizedBytes(u16),
});

/** A request that may be sent as often as it takes: the broker serves it once. */
export function makeAccountRequest(account: SigningKey, entropy: Entropy, body: Uint8Array): Uint8Array {
  const id = entropy.bytes(16);
  return accountRequest.encode(accountRequest.sign(account, { account: account.publicKey, id, body }));
}
