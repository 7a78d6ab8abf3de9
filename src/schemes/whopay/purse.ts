import { toHex } from '../../base/bytes.ts';
import { countedList, fixedBytes, type Holds, struct, u16 } from '../../base/struct.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { CoinPurse } from '../../payment/coins/coin-node.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { expiryLookMs, hasExpired, lasts, secondsOf } from '../../payment/coins/coin-times.ts';
import { Stock } from '../../payment/coins/stock.ts';
import { Visits } from '../../payment/coins/visits.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { sumOf, type Value } from '../../payment/scheme.ts';
import type { Clock, StoreWrite } from '../../ports.ts';
import {
  type Binding,
  binding,
  type Coin,
  coin,
  deposit,
  order,
  orderKind,
  type PaidCoin,
  paidCoin,
  type Refund,
  refund,
  step,
  transfer,
} from './messages.ts';
import { nameOf, placeOf } from './steps.ts';

/** How long a binding holds; within the last third its holder renews it. */
export const bindingSeconds = 30 * 86_400;

const secret = fixedBytes(32);
const boughtCoin = struct({ coin, secret });
type BoughtCoin = Holds<typeof boughtCoin>;
/** A coin that its owner gave away: who holds it now, and by whose orders. */
const ownedCoin = struct({ coin, secret, current: binding, steps: countedList(u16, step) });
export type OwnedCoin = Holds<typeof ownedCoin>;
const heldCoin = struct({ paid: paidCoin, secret });
export type HeldCoin = Holds<typeof heldCoin>;
/** The identity of the relay that an order is for. */
const promise = struct({ relayId: secret });
const handedCoin = struct({ paid: paidCoin, order });
export type HandedCoin = Holds<typeof handedCoin>;

/** A coin that the node may spend. */
export type WhoPayCoin =
  | { readonly kind: 'own'; readonly value: Value; readonly bought: BoughtCoin }
  | { readonly kind: 'held'; readonly value: Value; readonly held: HeldCoin }
  /** Ordered to this payee before; the order found nobody who could carry it out. */
  | { readonly kind: 'stranded'; readonly value: Value; readonly handed: HandedCoin };

/** Coins that were bought here stay own until they are first given away; those of others are held until they are given on. */
export class WhoPayPurse implements CoinPurse {
  readonly #setup: CoinSetup;
  /** By the coin's key. */
  readonly #own: Stock<BoughtCoin, OwnedCoin>;
  /** By place. */
  readonly #held: Stock<HeldCoin, HandedCoin>;
  /** By place: orders that may not have been sent to their payees. One that nobody has yet can be for nobody else. */
  readonly #promised: RecordBook<Holds<typeof promise>>;
  readonly #visits = new Visits();

  constructor(setup: CoinSetup) {
    const { store } = setup.host;
    this.#setup = setup;
    this.#own = new Stock(
      store,
      { prefix: 'whopay/bought/', kind: boughtCoin },
      { prefix: 'whopay/owned/', kind: ownedCoin },
      bought => bought.coin.value,
    );
    this.#held = new Stock(
      store,
      { prefix: 'whopay/held/', kind: heldCoin },
      { prefix: 'whopay/handed/', kind: handedCoin },
      ({ paid }) => paid.coin.value,
    );
    this.#promised = new RecordBook(store, 'whopay/promised/', promise);
    for (const { paid } of this.#held.came()) this.#visits.note(nameOf(paid.binding), paid.binding.sequence);
  }

  /** What may be spent. */
  spendable(): readonly { readonly value: Value }[] {
    const own = this.unspent().filter(bought => this.#lasts(bought.coin));
    const held = this.holdings().filter(each => this.#canGo(each));
    return [...own.map(bought => bought.coin), ...held.map(({ paid }) => paid.coin)];
  }

  /** What may be spent of just that value; own coins first, since nobody need be asked for them. */
  *worth(value: Value): Iterable<WhoPayCoin> {
    for (const [, bought] of this.#own.worth(value))
      if (this.#lasts(bought.coin)) yield { kind: 'own', value, bought };
    for (const [, held] of this.#held.worth(value))
      if (this.#canGo(held)) yield { kind: 'held', value, held };
  }

  /** Own coins that were never given away and that the broker takes yet. */
  unspent(): readonly BoughtCoin[] {
    return this.#own
      .left()
      .map(([, bought]) => bought)
      .filter(bought => this.#isTaken(bought.coin));
  }

  /** Coins of others that we hold, that are not on their way to anybody, and that the broker takes yet. */
  holdings(): readonly HeldCoin[] {
    return this.#held
      .left()
      .map(([, held]) => held)
      .filter(({ paid }) => this.#isTaken(paid.coin) && this.#isTaken(paid.binding));
  }

  /** What became of an own coin that was given away. */
  owned(name: string): OwnedCoin | undefined {
    return this.#own.goneAs(name);
  }

  buy(made: Coin, secretKey: Uint8Array): StoreWrite {
    return this.#own.put(nameOf(made), { coin: made, secret: secretKey });
  }

  /** Gives an own coin away for the first time. */
  issue(
    made: BoughtCoin,
    holder: Uint8Array,
    nonce: Uint8Array,
  ): { readonly paid: PaidCoin; readonly write: StoreWrite } {
    const current = this.#bind(made, holder, 1n, nonce);
    const self = this.#setup.self();
    const paid = { coin: made.coin, binding: current, ownerAt: self === undefined ? [] : [self] };
    return { paid, write: this.ownedAs({ ...made, current, steps: [] }) };
  }

  /** It was not given away after all: nobody has seen that it was to be. */
  unissue(made: BoughtCoin): void {
    this.#own.putBack(nameOf(made.coin));
  }

  /** An own coin that nobody was paid with goes back to the broker: bound to a key of our own, which orders the deposit. */
  giveBack(made: BoughtCoin): { readonly handed: HandedCoin; readonly write: StoreWrite } {
    const { host, account } = this.#setup;
    const [key, nonce] = [SigningKey.fresh(host.entropy), host.entropy.bytes(16)];
    const current = this.#bind(made, key.publicKey, 1n, nonce);
    const { coinKey, holder } = current;
    const said = deposit.sign(key, { coinKey, holder, next: account.publicKey, nonce });
    const order = { kind: orderKind.deposit, said };
    const write = this.ownedAs({ ...made, current, steps: [{ binding: current, order }] });
    return { handed: { paid: { coin: made.coin, binding: current, ownerAt: [] }, order }, write };
  }

  /** Binds an own coin to the holder that an order names. */
  next(owned: OwnedCoin, holder: Uint8Array, nonce: Uint8Array): Binding {
    return this.#bind(owned, holder, owned.current.sequence + 1n, nonce);
  }

  /** What the owner now knows of its coin. */
  ownedAs(record: OwnedCoin): StoreWrite {
    return this.#own.take(nameOf(record.coin), record);
  }

  /** True for a coin that was here under that sequence number or a later one. */
  wasHere(bound: Binding): boolean {
    return this.#visits.wasAt(nameOf(bound), bound.sequence);
  }

  received(held: HeldCoin): StoreWrite {
    const bound = held.paid.binding;
    this.#visits.note(nameOf(bound), bound.sequence);
    return this.#held.put(placeOf(bound), held);
  }

  /** Signs a held coin away. The write must be durable before anybody sees it: a key signs one order in its life. */
  give(
    { paid, secret: secretKey }: HeldCoin,
    kind: keyof typeof orderKind,
    next: Uint8Array,
    nonce: Uint8Array,
  ): { readonly handed: HandedCoin; readonly write: StoreWrite } {
    const { coinKey, holder } = paid.binding;
    const form = kind === 'transfer' ? transfer : deposit;
    const said = form.sign(new SigningKey(secretKey), { coinKey, holder, next, nonce });
    const handed = { paid, order: { kind: orderKind[kind], said } };
    return { handed, write: this.#held.take(placeOf(paid.binding), handed) };
  }

  /** Says with a transfer whom it is for, until it is sent. */
  promise({ paid }: HandedCoin, relayId: Uint8Array): StoreWrite {
    return this.#promised.put(placeOf(paid.binding), { relayId });
  }

  /** Signs that we are short of a coin that nobody carries our order for out. */
  refundOf({ paid, order }: HandedCoin): Refund | undefined {
    const held = this.#held.cameAs(placeOf(paid.binding));
    if (held === undefined) return undefined;
    const { coinKey, holder, next } = order.said;
    const account = this.#setup.account.publicKey;
    return refund.sign(new SigningKey(held.secret), { coinKey, holder, next, account });
  }

  sent({ paid }: HandedCoin): StoreWrite {
    return this.#promised.drop(placeOf(paid.binding));
  }

  /** What an earlier life promised and may not have sent. */
  promised(): readonly { readonly relayId: Uint8Array; readonly handed: HandedCoin }[] {
    return [...this.#promised.entries()].flatMap(([place, { relayId }]) => {
      const handed = this.#held.goneAs(place);
      return handed === undefined || !this.#lasts(handed.paid.coin) ? [] : [{ relayId, handed }];
    });
  }

  /** Ordered on while the broker takes the coin yet, and not come back to us by that order. */
  ordered(): readonly HandedCoin[] {
    const came = new Set(this.#held.came().map(({ paid }) => toHex(paid.binding.holder)));
    return this.#held
      .gone()
      .map(([, handed]) => handed)
      .filter(({ paid, order: { said } }) => this.#isTaken(paid.coin) && !came.has(toHex(said.next)));
  }

  get partedMsat(): Value {
    const ours = new Set(this.#held.came().map(({ paid }) => toHex(paid.binding.holder)));
    const handed = this.#held.gone().filter(
      ([
        ,
        {
          order: { kind, said },
        },
      ]) => kind === orderKind.transfer && !ours.has(toHex(said.next)),
    );
    return sumOf([
      ...this.#own
        .gone()
        .filter(([, owned]) => !isGivenBack(owned))
        .map(([, { coin: made }]) => made.value),
      ...handed.map(([, { paid }]) => paid.coin.value),
    ]);
  }

  /** A renewal gives a coin to ourselves. */
  get receivedMsat(): Value {
    const renewed = new Set(this.#held.gone().map(([, handed]) => toHex(handed.order.said.next)));
    const received = this.#held.came().filter(({ paid }) => !renewed.has(toHex(paid.binding.holder)));
    return sumOf(received.map(({ paid }) => paid.coin.value));
  }

  #bind(made: BoughtCoin, holder: Uint8Array, sequence: bigint, nonce: Uint8Array): Binding {
    const { coinKey, expirySeconds } = made.coin;
    const until = Math.min(expirySeconds, secondsOf(this.#setup.host.clock) + bindingSeconds);
    const fields = { coinKey, holder, sequence, expirySeconds: until, nonce };
    return binding.sign(new SigningKey(made.secret), fields);
  }

  #isTaken({ expirySeconds }: { readonly expirySeconds: number }): boolean {
    return !hasExpired(expirySeconds, this.#setup.host.clock);
  }

  #canGo({ paid }: HeldCoin): boolean {
    return this.#lasts(paid.coin) && bindingLasts(paid.binding, this.#setup.host.clock);
  }

  #lasts({ expirySeconds }: { readonly expirySeconds: number }): boolean {
    return lasts(expirySeconds, this.#setup.host.clock);
  }
}

/** Long enough to be taken: until the day's look finds that it must be renewed, and a day more. */
export function bindingLasts({ expirySeconds }: Binding, clock: Clock): boolean {
  return lasts(expirySeconds - expiryLookMs / 1_000, clock);
}

/** Deposits of others do not come to the owner. */
function isGivenBack({ steps }: OwnedCoin): boolean {
  return steps.some(({ order: { kind } }) => kind === orderKind.deposit);
}
