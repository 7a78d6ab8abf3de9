import type { StoreWrite } from '../../ports.ts';
import type { AccountKey, BrokerHost } from '../broker-side.ts';
import { type PaymentStatusName, refused, type Served, type Value } from '../scheme.ts';
import { accountMessage } from './coin-messages.ts';
import { purchaseCoinsMax } from './denominations.ts';

const exponentMax = 50;

/** What an account asks of a broker of coins, by the first byte of its words. */
export type AccountServices = Readonly<Record<number, (account: AccountKey, body: Uint8Array) => Served>>;

export function serveAccount(host: BrokerHost, request: Uint8Array, services: AccountServices): Served {
  const message = accountMessage.decode(request);
  if (message === undefined) return refused('malformed');
  return host.once(message.envelope, (account, body) => {
    const serve = body.length === 0 ? undefined : services[body[0]];
    return serve === undefined ? refused('malformed') : serve(account, body);
  });
}

/** What an account pays for coins worth 2^exponent each: their values, and the records of it; or why it gets none. */
export function sell(
  { accounts }: BrokerHost,
  scheme: number,
  account: AccountKey,
  exponents: readonly number[],
): { readonly values: readonly Value[]; readonly persist: readonly StoreWrite[] } | PaymentStatusName {
  if (exponents.length === 0 || exponents.length > purchaseCoinsMax) return 'malformed';
  if (exponents.some(exponent => exponent > exponentMax)) return 'badTerms';
  const values = exponents.map(exponent => 1n << BigInt(exponent));
  const sum = values.reduce((total, value) => total + value, 0n);
  const persist = accounts.issue(scheme, account, sum);
  return persist === undefined ? 'overspent' : { values, persist };
}
