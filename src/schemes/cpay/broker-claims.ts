import { fixedBytes, type Holds, struct, u32, u64 } from '../../base/struct.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { publicKeyBytes } from '../../payment/statement.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import type { PaidCoin } from './messages.ts';
import { ownHoldingOf } from './ring.ts';

/** So long after a coin has expired it may still be handed in; what is left of its value then goes to who claims it. */
export const claimSeconds = 14 * 86_400;

const claimRecord = struct({
  guid: fixedBytes(16),
  account: fixedBytes(publicKeyBytes),
  /** When the claimed holding began. */
  sinceMs: u64,
  dueSeconds: u32,
});
type Claim = Holds<typeof claimRecord>;

/**
 * Claims of those whose assistants do not answer any more: nobody but these could say whether a holding was authorised away.
 * So a claim waits until the coin has expired and all who may hold it have had time to hand it in; the latest holding has it.
 */
export class BrokerClaims {
  /** By holding. */
  readonly #claims: RecordBook<Claim>;

  constructor(store: Pick<StorePort, 'list'>) {
    this.#claims = new RecordBook(store, 'cpay/claim/', claimRecord);
  }

  /** Nothing to write: that holding is claimed. */
  add({ coin, auth }: PaidCoin, account: Uint8Array): readonly StoreWrite[] {
    const name = ownHoldingOf(auth);
    if (this.#claims.get(name) !== undefined) return [];
    const dueSeconds = coin.expirySeconds + claimSeconds;
    return [this.#claims.put(name, { guid: coin.guid, account, sinceMs: auth.timeMs, dueSeconds })];
  }

  /** Those whose time has come, the latest holding first. */
  due(nowSeconds: number): readonly (readonly [holding: string, claim: Claim])[] {
    return [...this.#claims.entries()]
      .filter(([, { dueSeconds }]) => dueSeconds <= nowSeconds)
      .sort(([, one], [, other]) => Number(other.sinceMs - one.sinceMs));
  }

  drop(holding: string): StoreWrite {
    return this.#claims.drop(holding);
  }
}
