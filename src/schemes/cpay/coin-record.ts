import { countedList, fixedBytes, type Holds, restBytes, struct, u8, u16, u64 } from '../../base/struct.ts';
import { type Auth, type AuthStatement, auth, coin } from './messages.ts';
import { holdingOf, isSamePayment } from './ring.ts';

/** Authorisations of one coin that a broker looks at. */
const casesMax = 64;

/** All that the broker knows of a coin that it sold. */
export const coinRecord = struct({
  coin,
  deposited: u8,
  /** Authorisations that it has seen, and whether their grounds were shown. */
  seen: countedList(u8, struct({ auth, shown: u8 })),
  /** When assistants were first asked for grounds, in seconds since 1970; 0: they were not. */
  askedSeconds: u64,
  /** Whom it has convicted over this coin. */
  convicted: countedList(u16, fixedBytes(33)),
  /** Whose account it was bought from; earlier versions did not say. */
  buyer: restBytes,
});
export type BrokerCoin = Holds<typeof coinRecord>;

/** Both are one payment's, of whichever of its assistants. */
export function isSame(
  one: Omit<AuthStatement, 'signature'>,
  other: Omit<AuthStatement, 'signature'>,
): boolean {
  return holdingOf(one) === holdingOf(other) && isSamePayment(one, other) && one.timeMs === other.timeMs;
}

/** With an authorisation that the broker has been shown. */
export function withSeen(record: BrokerCoin, given: Auth): BrokerCoin {
  const isKnown = record.seen.some(({ auth: known }) => isSame(known, given));
  if (isKnown || record.seen.length >= casesMax) return record;
  return { ...record, seen: [...record.seen, { auth: given, shown: 0 }] };
}
