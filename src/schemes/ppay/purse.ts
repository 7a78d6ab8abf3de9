import { equalBytes, toHex } from '../../base/bytes.ts';
import { coinStepsMax } from '../../base/limits.ts';
import type { CoinPurse } from '../../payment/coins/coin-node.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { hasExpired, lasts } from '../../payment/coins/coin-times.ts';
import { Stock } from '../../payment/coins/stock.ts';
import { Visits } from '../../payment/coins/visits.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { sumOf, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import { endOf, handedOver, holderAt, holderOf, pathOf, placeOf, serialOf, startOf } from './coin-path.ts';
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

/** A coin that the node may spend. */
export type PPayCoin =
  | { readonly kind: 'own'; readonly value: Value; readonly coin: RawCoin }
  | { readonly kind: 'held'; readonly value: Value; readonly paid: PaidCoin }
  /** Handed to this payee before, and not sent: nobody would assign it, or it was in an earlier life. */
  | { readonly kind: 'stranded'; readonly value: Value; readonly paid: PaidCoin };
type HeldCoin = Extract<PPayCoin, { kind: 'held' }>;

/** Coins that were bought here stay own until they are first given away; those of others are held until they are handed on. */
export class PPayPurse implements CoinPurse {
  readonly #setup: CoinSetup;
  /** By serial number; what went out is a coin's path from its first holder on, as far as its owner knows. */
  readonly #own: Stock<RawCoin, CoinPath>;
  /** By place. */
  readonly #held: Stock<PaidCoin, PaidCoin>;
  /** Held coins whose layers the owner, or the broker, has turned into an assignment. */
  readonly #flat: RecordBook<AssignedCoin>;
  /** By place: handed over, and perhaps not sent. One that nobody has yet can be for nobody else. */
  readonly #promised: RecordBook<PaidCoin>;
  readonly #visits = new Visits();

  constructor(setup: CoinSetup) {
    const { store } = setup.host;
    this.#setup = setup;
    this.#own = new Stock(
      store,
      { prefix: 'ppay/raw/', kind: rawCoin },
      { prefix: 'ppay/owned/', kind: coinPath },
      ({ value }) => value,
    );
    this.#held = new Stock(
      store,
      { prefix: 'ppay/held/', kind: paidCoin },
      { prefix: 'ppay/handed/', kind: paidCoin },
      worthOf,
    );
    this.#flat = new RecordBook(store, 'ppay/flat/', assignedCoin);
    this.#promised = new RecordBook(store, 'ppay/promised/', paidCoin);
    for (const { path } of this.#held.came()) this.#visits.note(serialOf(path), endOf(path));
  }

  /** What may be spent. */
  spendable(): readonly { readonly value: Value }[] {
    const own = this.unspent().filter(coin => this.#lasts(coin));
    return [...own, ...this.holdings().filter(({ paid }) => this.#lasts(paid.path.assigned.coin))];
  }

  /** What may be spent of just that value; own coins first, since nobody need be asked for them. */
  *worth(value: Value): Iterable<PPayCoin> {
    for (const [, coin] of this.#own.worth(value)) if (this.#lasts(coin)) yield { kind: 'own', value, coin };
    for (const [place, paid] of this.#held.worth(value))
      if (canGoOn(paid) && this.#lasts(paid.path.assigned.coin)) yield this.#holding(place, paid);
  }

  /** Own coins that were never given away and that the broker takes yet. */
  unspent(): readonly RawCoin[] {
    return this.#own
      .left()
      .map(([, coin]) => coin)
      .filter(coin => !hasExpired(coin.expirySeconds, this.#setup.host.clock));
  }

  /** Coins of others that we hold, that are not on their way to anybody, and that the broker takes yet. */
  holdings(): readonly HeldCoin[] {
    return this.#held
      .left()
      .filter(([, paid]) => canGoOn(paid))
      .map(([place, paid]) => this.#holding(place, paid))
      .filter(({ paid }) => !hasExpired(paid.path.assigned.coin.expirySeconds, this.#setup.host.clock));
  }

  /** What became of an own coin, from where it was first given away. */
  owned(serial: string): CoinPath | undefined {
    return this.#own.goneAs(serial);
  }

  bought(coin: RawCoin): StoreWrite {
    return this.#own.put(toHex(coin.serial), coin);
  }

  /** Gives an own coin away for the first time. */
  assign(coin: RawCoin, holder: Uint8Array): { readonly paid: PaidCoin; readonly write: StoreWrite } {
    const path = pathOf(assignedCoin.sign(this.#setup.account, { coin, holder, position: 1n }));
    const self = this.#setup.self();
    return { paid: { path, ownerAt: self === undefined ? [] : [self] }, write: this.ownedAs(path) };
  }

  /** It was not given away after all: nobody has seen that it was to be. */
  unassign(coin: RawCoin): void {
    this.#own.putBack(toHex(coin.serial));
  }

  /** An own coin that nobody was paid with goes back to the broker, as from its first holder. */
  giveBack(coin: RawCoin): { readonly path: CoinPath; readonly write: StoreWrite } {
    const { account, broker } = this.#setup;
    const assigned = assignedCoin.sign(account, { coin, holder: account.publicKey, position: 1n });
    const path = handedOver(pathOf(assigned), account, broker.key);
    return { path, write: this.ownedAs(path) };
  }

  /** What the owner now knows of its coin. */
  ownedAs(path: CoinPath): StoreWrite {
    return this.#own.take(serialOf(path), path);
  }

  /** True for a coin that was here at that position or a later one: nobody holds the same place twice. */
  wasHere(path: CoinPath): boolean {
    return this.#visits.wasAt(serialOf(path), endOf(path));
  }

  received(paid: PaidCoin): StoreWrite {
    this.#visits.note(serialOf(paid.path), endOf(paid.path));
    return this.#held.put(placeOf(paid.path), paid);
  }

  peeled(assigned: AssignedCoin): StoreWrite {
    return this.#flat.put(placeOf(pathOf(assigned)), assigned);
  }

  /** Signs a held coin over. The write must be durable before anybody sees it: whoever signs two has cheated. */
  hand(paid: PaidCoin, next: Uint8Array): { readonly paid: PaidCoin; readonly write: StoreWrite } {
    const handed = { ...paid, path: handedOver(paid.path, this.#setup.account, next) };
    return { paid: handed, write: this.#held.take(placeOf(paid.path), handed) };
  }

  /** Says of a coin that was handed over that it is not sent yet. */
  promise(handed: PaidCoin): StoreWrite {
    return this.#promised.put(placeOf(handed.path), handed);
  }

  sent(handed: PaidCoin): StoreWrite {
    return this.#promised.drop(placeOf(handed.path));
  }

  /** What an earlier life promised and may not have sent. */
  promised(): readonly PaidCoin[] {
    return [...this.#promised.entries()]
      .map(([, handed]) => handed)
      .filter(({ path }) => this.#lasts(path.assigned.coin));
  }

  get partedMsat(): Value {
    const given = this.#own
      .gone()
      .filter(([, path]) => !this.#isGivenBack(path))
      .map(([, { assigned }]) => assigned.coin.value);
    const handed = this.#held
      .gone()
      .filter(([, { path }]) => !equalBytes(holderOf(path), this.#setup.broker.key))
      .map(([, paid]) => worthOf(paid));
    return sumOf([...given, ...handed]);
  }

  get receivedMsat(): Value {
    return sumOf(this.#held.came().map(worthOf));
  }

  /** Whoever pays with an own coin first gives it to somebody else. */
  #isGivenBack(path: CoinPath): boolean {
    const first = holderAt(path, 1n);
    return first !== undefined && equalBytes(first, this.#setup.account.publicKey);
  }

  #holding(place: string, paid: PaidCoin): HeldCoin {
    const assigned = this.#flat.get(place);
    const flat = assigned === undefined ? paid : { ...paid, path: pathOf(assigned) };
    return { kind: 'held', value: worthOf(paid), paid: flat };
  }

  #lasts(coin: RawCoin): boolean {
    return lasts(coin.expirySeconds, this.#setup.host.clock);
  }
}

/** Earlier versions took coins that nobody can hand on. */
function canGoOn({ path }: PaidCoin): boolean {
  return startOf(path) <= coinStepsMax;
}

export function worthOf(paid: PaidCoin): Value {
  return paid.path.assigned.coin.value;
}
