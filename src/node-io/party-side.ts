import { parseIp } from '../base/ip.ts';
import type { SigningKey } from '../crypto/ecdsa.ts';
import { SealedDoor } from '../payment/sealed-asks.ts';
import type { Endpoint, Entropy } from '../ports.ts';
import { accountKeyIn } from './account-key.ts';
import { HttpParties } from './party-http.ts';
import { listening } from './server-socket.ts';

/** What a node has whose payments involve a broker or other parties: its way to them, and its account. */
export interface PartySide {
  readonly parties: HttpParties;
  readonly account: SigningKey;
  /** Where others ask it. */
  readonly self: Endpoint;
}

export interface PartySideOptions {
  /** Where others ask it. */
  readonly at: Endpoint;
  /** It may always be asked, since its operator named it. */
  readonly broker: Endpoint | undefined;
  /** Addresses at which nobody is asked whom peers name: a stranger could have this node speak to its neighbours. */
  readonly isForbidden: (ip: Uint8Array) => boolean;
}

/** Takes the account's key out of the data directory and begins to listen. Throws OperatorError. */
export async function openPartySide(
  directory: string,
  entropy: Entropy,
  { at, broker, isForbidden }: PartySideOptions,
): Promise<PartySide> {
  const account = accountKeyIn(directory, entropy);
  const mayAsk = (to: Endpoint): boolean => {
    if (to.host === broker?.host && to.port === broker.port) return true;
    const ip = parseIp(to.host);
    return ip !== undefined && !isForbidden(ip);
  };
  const parties = new HttpParties({ mayAsk });
  const self = await listening('party', at, parties.listen(at, new SealedDoor(account, entropy)));
  return { parties, account, self };
}
