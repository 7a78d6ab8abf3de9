import { equalBytes, toHex } from '../../base/bytes.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import { endOf, handedOver, holderOf, pathOf, placeOf, serialOf } from './coin-path.ts';
import {
  type AssignedCoin,
  assignedCoin,
  type CoinPath,
  coinPath,
  type PaidCoin,
  paidCoin,
  type RawCoin,
  rawCoin,
} from './messages.ts';
import type { PPaySetup } from './setup.ts';

/** A coin is neither taken nor given when it expires within so long: its holder must have time to deposit it. */
export const expiryMarginSeconds = 86_400;

/** A coin that the node may spend. */
export type PPayCoin =
  | { readonly kind: 'own'; readonly value: Value; readonly coin: RawCoin }
  | { readonly kind: 'held'; readonly value: Value; readonly paid: PaidCoin };

/**
 * All coins of one node, whichever side of it got them: bought and not given away, given away by their owner, held, and
 * handed on. Records of the four kinds are written apart and never changed by two hands, so their order does not matter.
 */
export class PPayPurse {
  readonly #setup: PPaySetup;
  readonly #raw: RecordBook<RawCoin>;
  readonly #owned: RecordBook<CoinPath>;
  readonly #held: RecordBook<PaidCoin>;
  /** Held coins whose layers the owner, or the broker, has turned into an assignment. */
  readonly #flat: RecordBook<AssignedCoin>;
  readonly #handed: RecordBook<PaidCoin>;
  readonly #lastPosition = new Map<string, bigint>();
  readonly #unspent = new Map<string, RawCoin>();
  readonly #holdings = new Map<string, PaidCoin>();

  constructor(setup: PPaySetup) {
    this.#setup = setup;
    const { store } = setup.host;
    this.#raw = new RecordBook(store, 'ppay/raw/', rawCoin);
    this.#owned = new RecordBook(store, 'ppay/owned/', coinPath);
    this.#held = new RecordBook(store, 'ppay/held/', paidCoin);
    this.#flat = new RecordBook(store, 'ppay/flat/', assignedCoin);
    this.#handed = new RecordBook(store, 'ppay/handed/', paidCoin);
    for (const [serial, coin] of this.#raw.entries())
      if (this.#owned.get(serial) === undefined) this.#unspent.set(serial, coin);
    for (const [place, paid] of this.#held.entries()) {
      this.#notePosition(paid.path);
      if (this.#handed.get(place) === undefined) this.#holdings.set(place, paid);
    }
  }

  /** What may be spent; own coins first, since nobody need be asked for them. */
  spendable(): readonly PPayCoin[] {
    const own = [...this.#unspent.values()]
      .filter(coin => this.#lasts(coin))
      .map(coin => ({ kind: 'own', value: coin.value, coin }) as const);
    return [...own, ...this.holdings()];
  }

  /** Coins of others that we hold, and that are not on their way to anybody. */
  holdings(): readonly Extract<PPayCoin, { kind: 'held' }>[] {
    return [...this.#holdings]
      .map(
        ([place, paid]) =>
          ({ kind: 'held', value: coinValue(paid), paid: this.#flattened(place, paid) }) as const,
      )
      .filter(({ paid }) => this.#lasts(paid.path.assigned.coin));
  }

  /** Its serial number, in hex, names a coin; the owner's path of it starts where the owner first gave it away. */
  owned(serial: string): CoinPath | undefined {
    return this.#owned.get(serial);
  }

  bought(coin: RawCoin): StoreWrite {
    const serial = toHex(coin.serial);
    if (this.#owned.get(serial) === undefined) this.#unspent.set(serial, coin);
    return this.#raw.put(serial, coin);
  }

  /** Gives an own coin away for the first time. */
  assign(coin: RawCoin, holder: Uint8Array): { readonly paid: PaidCoin; readonly write: StoreWrite } {
    const path = pathOf(assignedCoin.sign(this.#setup.account, { coin, holder, position: 1n }));
    const self = this.#setup.self();
    return { paid: { path, ownerAt: self === undefined ? [] : [self] }, write: this.ownedAs(path) };
  }

  /** What the owner now knows of its coin. */
  ownedAs(path: CoinPath): StoreWrite {
    this.#unspent.delete(serialOf(path));
    return this.#owned.put(serialOf(path), path);
  }

  /** True for a coin that was here at that position or a later one: nobody holds the same place twice. */
  wasHere(path: CoinPath): boolean {
    return (this.#lastPosition.get(serialOf(path)) ?? 0n) >= endOf(path);
  }

  received(paid: PaidCoin): StoreWrite {
    this.#notePosition(paid.path);
    this.#holdings.set(placeOf(paid.path), paid);
    return this.#held.put(placeOf(paid.path), paid);
  }

  peeled(assigned: AssignedCoin): StoreWrite {
    return this.#flat.put(placeOf(pathOf(assigned)), assigned);
  }

  /** Signs a held coin over. The write must be durable before anybody sees it: whoever signs two has cheated. */
  hand(paid: PaidCoin, next: Uint8Array): { readonly paid: PaidCoin; readonly write: StoreWrite } {
    const handed = { ...paid, path: handedOver(paid.path, this.#setup.account, next) };
    this.#holdings.delete(placeOf(paid.path));
    return { paid: handed, write: this.#handed.put(placeOf(paid.path), handed) };
  }

  /** Value given to others, by this node's records. */
  get partedMsat(): Value {
    const owned = [...this.#owned.entries()].map(([, { assigned }]) => assigned.coin.value);
    const handed = [...this.#handed.entries()]
      .filter(([, { path }]) => !equalBytes(holderOf(path), this.#setup.broker.key))
      .map(([, paid]) => coinValue(paid));
    return [...owned, ...handed].reduce((sum, value) => sum + value, 0n);
  }

  /** Value ever received from others. */
  get receivedMsat(): Value {
    return [...this.#held.entries()].reduce((sum, [, paid]) => sum + coinValue(paid), 0n);
  }

  #flattened(place: string, paid: PaidCoin): PaidCoin {
    const assigned = this.#flat.get(place);
    return assigned === undefined ? paid : { ...paid, path: pathOf(assigned) };
  }

  #lasts(coin: RawCoin): boolean {
    return coin.expirySeconds - expiryMarginSeconds > this.#setup.host.clock.wallMs() / 1_000;
  }

  #notePosition(path: CoinPath): void {
    const serial = serialOf(path);
    if (endOf(path) > (this.#lastPosition.get(serial) ?? 0n)) this.#lastPosition.set(serial, endOf(path));
  }
}

function coinValue(paid: PaidCoin): Value {
  return paid.path.assigned.coin.value;
}
