import { sizedBytes, struct, u8, u16, u64 } from '../../base/struct.ts';
import { makeAccountRequest } from '../account-request.ts';
import type { CoinSetup } from './coin-setup.ts';

/** How a scheme of coins is named, and by which first byte its broker knows an account request. */
export interface CoinWords {
  readonly id: number;
  readonly name: string;
  readonly account: number;
}

/** An account request as a broker of coins takes it: the operation, then the signed envelope. */
export const accountMessage = struct({ op: u8, envelope: sizedBytes(u16) });
/** An owner asks what befell its coins while it was away. `after`: the last entry of which it has heard. */
export const syncBody = struct({ op: u8, after: u64 });

/** What a node asks of the broker in the name of its account. */
export function askedByAccount({ account, host }: CoinSetup, words: CoinWords, body: Uint8Array): Uint8Array {
  const envelope = makeAccountRequest(account, host.entropy, body);
  return accountMessage.encode({ op: words.account, envelope });
}
