import { equalBytes, toHex } from '../../base/bytes.ts';
import { fixedBytes, type Holds, struct } from '../../base/struct.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { CoinPurse } from '../../payment/coins/coin-node.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { lasts } from '../../payment/coins/coin-times.ts';
import { Stock } from '../../payment/coins/stock.ts';
import { Visits } from '../../payment/coins/visits.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { sumOf, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import {
  type Auth,
  auth,
  authStatement,
  brokersPlace,
  buyersOwn,
  buyersPlace,
  paidCoin,
  type Wish,
  wish,
} from './messages.ts';
import { KnownRings } from './node-rings.ts';
import { isOrigin, ownHoldingOf } from './ring.ts';

/** A coin, by whose word it is ours, and the key that it is ours under. */
const heldCoin = struct({ paid: paidCoin, secret: fixedBytes(32) });
export type HeldCoin = Holds<typeof heldCoin>;
/** `relayId` says at whom, since the payee's key may be for once; zeros for the broker. */
const wishedCoin = struct({ paid: paidCoin, wish, relayId: fixedBytes(32) });
export type WishedCoin = Holds<typeof wishedCoin>;

/** A coin that the node may spend. */
export type CPayCoin =
  | { readonly kind: 'held'; readonly value: Value; readonly held: HeldCoin }
  /** Wished to this payee before; too few assistants answered. */
  | { readonly kind: 'stranded'; readonly value: Value; readonly wished: WishedCoin };

/** Coins that were bought or received are held until they are wished to somebody, and gone once that one has them. */
export class CPayPurse implements CoinPurse {
  /** With the coins, since all sides of the node go by them. */
  readonly rings: KnownRings;
  readonly #setup: CoinSetup;
  /** By holding. */
  readonly #held: Stock<HeldCoin, WishedCoin>;
  /** What it signed itself of coins that it bought, by holding: it says the same each time. */
  readonly #own: RecordBook<Auth>;
  /** Those of the wishes that were sent to their payees, or that the broker was told of. */
  readonly #gone: RecordBook<WishedCoin>;
  /** Those that their payees did not take, and nobody else can. */
  readonly #turnedDown: RecordBook<WishedCoin>;
  /** Holdings that are claimed of the broker, each once. */
  readonly #claimed: RecordBook<Wish>;
  /** Coins that nobody has got of us, as far as we know: what was here and went would be looked at for ever. */
  readonly #here = new Map<string, HeldCoin>();
  readonly #visits = new Visits();

  constructor(setup: CoinSetup) {
    const { store } = setup.host;
    this.#setup = setup;
    this.rings = new KnownRings(setup.broker);
    this.#held = new Stock(
      store,
      { prefix: 'cpay/held/', kind: heldCoin },
      { prefix: 'cpay/wished/', kind: wishedCoin },
      ({ paid }) => paid.coin.value,
    );
    this.#gone = new RecordBook(store, 'cpay/gone/', wishedCoin);
    this.#own = new RecordBook(store, 'cpay/own/', auth);
    this.#turnedDown = new RecordBook(store, 'cpay/turned-down/', wishedCoin);
    this.#claimed = new RecordBook(store, 'cpay/claimed/', wish);
    for (const held of this.#held.came()) {
      const { auth } = held.paid;
      this.#noteWhere(ownHoldingOf(auth));
      if (!this.#isBought(held)) this.#visits.note(toHex(auth.guid), auth.timeMs);
    }
  }

  spendable(): readonly { readonly value: Value }[] {
    return this.#lasting().map(({ paid }) => paid.coin);
  }

  /** What may be spent of just that value. */
  *worth(value: Value): Iterable<CPayCoin> {
    for (const [, held] of this.#held.worth(value))
      if (this.#lasts(held)) yield { kind: 'held', value, held };
  }

  /** What is here and not for paying: what others paid, and all that a node has that pays nobody. */
  earned(): readonly HeldCoin[] {
    return this.#lasting().filter(held => !this.#setup.pays() || !this.#isBought(held));
  }

  #lasting(): readonly HeldCoin[] {
    return this.#held
      .left()
      .map(([, held]) => held)
      .filter(held => this.#lasts(held));
  }

  #lasts({ paid }: HeldCoin): boolean {
    return lasts(paid.coin.expirySeconds, this.#setup.host.clock);
  }

  /** Wishes by which nobody has got a coin yet, as far as we know. They may have been granted. */
  unfinished(): readonly WishedCoin[] {
    return [...this.#here.keys()].flatMap(holding => {
      const wished = this.#gone.get(holding) === undefined ? this.#held.goneAs(holding) : undefined;
      return wished === undefined ? [] : [wished];
    });
  }

  isDeposit(wished: WishedCoin): boolean {
    return equalBytes(wished.wish.payee, this.#setup.broker.key);
  }

  /** True for a coin that was here as of that time or later. */
  wasHere({ guid, timeMs }: Auth): boolean {
    return this.#visits.wasAt(toHex(guid), timeMs);
  }

  bought(held: HeldCoin): StoreWrite {
    return this.#came(held);
  }

  received(held: HeldCoin): StoreWrite {
    const { auth } = held.paid;
    this.#visits.note(toHex(auth.guid), auth.timeMs);
    return this.#came(held);
  }

  #came(held: HeldCoin): StoreWrite {
    const holding = ownHoldingOf(held.paid.auth);
    const write = this.#held.put(holding, held);
    this.#noteWhere(holding);
    return write;
  }

  #noteWhere(holding: string): void {
    const held = this.#held.cameAs(holding);
    const isGone = this.#gone.get(holding) !== undefined && this.#turnedDown.get(holding) === undefined;
    if (held === undefined || isGone) this.#here.delete(holding);
    else this.#here.set(holding, held);
  }

  /** Signs that a coin is to be the payee's. */
  wishAway(
    { paid, secret }: HeldCoin,
    payee: Uint8Array,
    nonce: Uint8Array,
    relayId: Uint8Array,
  ): { readonly wished: WishedCoin; readonly write: StoreWrite } {
    const { guid, payee: payer } = paid.auth;
    const wished = { paid, wish: wish.sign(new SigningKey(secret), { guid, payer, payee, nonce }), relayId };
    return { wished, write: this.#held.take(ownHoldingOf(paid.auth), wished) };
  }

  /** True for a coin whose first payment its buyer signs itself, and that has not been paid with yet. */
  isOwnWord({ paid }: WishedCoin): boolean {
    return paid.coin.assistants === buyersOwn && isOrigin(paid.auth, this.#setup.broker.key);
  }

  /** What it says by itself; the write is durable before anybody is told. */
  ownWord({ paid, wish: said }: WishedCoin): { readonly auth: Auth; readonly write: StoreWrite } {
    const holding = ownHoldingOf(paid.auth);
    const given = this.#own.get(holding) ?? this.#signOwn(paid.auth, said);
    return { auth: given, write: this.#own.put(holding, given) };
  }

  #signOwn(origin: Auth, { guid, payer, payee, nonce }: Wish): Auth {
    const now = BigInt(this.#setup.host.clock.wallMs());
    const sinceMs = origin.timeMs;
    const said = { guid, payer, payee, sinceMs, timeMs: now > sinceMs ? now : sinceMs + 1n, nonce };
    const { signature } = authStatement.sign(this.#setup.account, said);
    const signatures = [
      { place: buyersPlace, signature },
      { place: brokersPlace, signature: origin.signatures[0].signature },
    ];
    return { ...said, signatures };
  }

  /** By which wish a holding of ours went. */
  wishedAs(holding: string): WishedCoin | undefined {
    return this.#held.goneAs(holding);
  }

  /** It goes to its payee, or into the broker's hands. */
  gone(wished: WishedCoin): StoreWrite {
    return this.#wentTo(this.#gone, wished);
  }

  /** Its payee says that it has it, or that it takes it no more. */
  turnedDown(wished: WishedCoin): StoreWrite {
    return this.#wentTo(this.#turnedDown, wished);
  }

  #wentTo(book: RecordBook<WishedCoin>, wished: WishedCoin): StoreWrite {
    const holding = ownHoldingOf(wished.paid.auth);
    const write = book.put(holding, wished);
    this.#noteWhere(holding);
    return write;
  }

  /** Coins that nobody will take any more, and that nobody has got of us as far as we know. */
  expiring(): readonly HeldCoin[] {
    return [...this.#here]
      .filter(([holding, held]) => this.#claimed.get(holding) === undefined && !this.#lasts(held))
      .map(([, held]) => held);
  }

  /** Signs that a coin is to be the broker's, whoever may have authorised what. */
  claim({ paid, secret }: HeldCoin, nonce: Uint8Array): { readonly said: Wish; readonly write: StoreWrite } {
    const { guid, payee: payer } = paid.auth;
    const said = wish.sign(new SigningKey(secret), { guid, payer, payee: this.#setup.broker.key, nonce });
    return { said, write: this.#claimed.put(ownHoldingOf(paid.auth), said) };
  }

  get partedMsat(): Value {
    const parted = [...this.#gone.entries()].filter(([, wished]) => !this.isDeposit(wished));
    return sumOf(parted.map(([, { paid }]) => paid.coin.value));
  }

  get receivedMsat(): Value {
    return sumOf(this.#received().map(({ paid }) => paid.coin.value));
  }

  #received(): readonly HeldCoin[] {
    return this.#held.came().filter(held => !this.#isBought(held));
  }

  #isBought({ paid }: HeldCoin): boolean {
    return isOrigin(paid.auth, this.#setup.broker.key);
  }
}
