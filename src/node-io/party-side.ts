import { OperatorError } from '../base/fault.ts';
import type { SigningKey } from '../crypto/ecdsa.ts';
import { SealedDoor } from '../payment/sealed-asks.ts';
import type { Endpoint, Entropy } from '../ports.ts';
import { accountKeyIn } from './account-key.ts';
import { HttpParties } from './party-http.ts';

/** What a node has whose payments involve a broker or other parties: its way to them, and its account. */
export interface PartySide {
  readonly parties: HttpParties;
  readonly account: SigningKey;
  /** Where others ask it. */
  readonly self: Endpoint;
}

/** Takes the account's key out of the data directory and begins to listen. Throws OperatorError. */
export async function openPartySide(directory: string, entropy: Entropy, at: Endpoint): Promise<PartySide> {
  const account = accountKeyIn(directory, entropy);
  const parties = new HttpParties();
  try {
    return { parties, account, self: await parties.listen(at, new SealedDoor(account, entropy)) };
  } catch (error) {
    const why = (error as Error).message;
    throw new OperatorError('PORT_UNAVAILABLE', `party: cannot listen at ${at.host}:${at.port}: ${why}`, 3);
  }
}
