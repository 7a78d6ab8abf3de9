import { toHex } from '../../base/bytes.ts';
import { countedList, fixedBytes, type Holds, struct, u16 } from '../../base/struct.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
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
  step,
  transfer,
} from './messages.ts';
import type { WhoPaySetup } from './setup.ts';
import { nameOf, placeOf } from './steps.ts';

/** A coin is neither taken nor given when it expires within so long: its holder must have time to deposit it. */
export const expiryMarginSeconds = 86_400;
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
const handedCoin = struct({ paid: paidCoin, order });
export type HandedCoin = Holds<typeof handedCoin>;

/** A coin that the node may spend. */
export type WhoPayCoin =
  | { readonly kind: 'own'; readonly value: Value; readonly bought: BoughtCoin }
  | { readonly kind: 'held'; readonly value: Value; readonly held: HeldCoin }
  /** Ordered to this payee before; the order found nobody who could carry it out. */
  | { readonly kind: 'stranded'; readonly value: Value; readonly handed: HandedCoin };

/**
 * All coins of one node, whichever side of it got them. Records of the four kinds are written apart and never changed by
 * two hands, so their order does not matter.
 */
export class WhoPayPurse {
  readonly #setup: WhoPaySetup;
  readonly #bought: RecordBook<BoughtCoin>;
  readonly #owned: RecordBook<OwnedCoin>;
  readonly #held: RecordBook<HeldCoin>;
  readonly #handed: RecordBook<HandedCoin>;
  readonly #unspent = new Map<string, BoughtCoin>();
  readonly #holdings = new Map<string, HeldCoin>();
  readonly #lastSequence = new Map<string, bigint>();

  constructor(setup: WhoPaySetup) {
    this.#setup = setup;
    const { store } = setup.host;
    this.#bought = new RecordBook(store, 'whopay/bought/', boughtCoin);
    this.#owned = new RecordBook(store, 'whopay/owned/', ownedCoin);
    this.#held = new RecordBook(store, 'whopay/held/', heldCoin);
    this.#handed = new RecordBook(store, 'whopay/handed/', handedCoin);
    for (const [name, made] of this.#bought.entries())
      if (this.#owned.get(name) === undefined) this.#unspent.set(name, made);
    for (const [place, held] of this.#held.entries()) {
      this.#noteSequence(held.paid.binding);
      if (this.#handed.get(place) === undefined) this.#holdings.set(place, held);
    }
  }

  /** What may be spent; own coins first, since nobody need be asked for them. */
  spendable(): readonly WhoPayCoin[] {
    const own = [...this.#unspent.values()]
      .filter(made => this.#lasts(made.coin.expirySeconds))
      .map(made => ({ kind: 'own', value: made.coin.value, bought: made }) as const);
    const held = this.holdings().map(
      each => ({ kind: 'held', value: each.paid.coin.value, held: each }) as const,
    );
    return [...own, ...held];
  }

  /** Coins of others that we hold, and that are not on their way to anybody. */
  holdings(): readonly HeldCoin[] {
    return [...this.#holdings.values()].filter(
      ({ paid }) => this.#lasts(paid.coin.expirySeconds) && this.#lasts(paid.binding.expirySeconds),
    );
  }

  owned(name: string): OwnedCoin | undefined {
    return this.#owned.get(name);
  }

  buy(made: Coin, secretKey: Uint8Array): StoreWrite {
    const record = { coin: made, secret: secretKey };
    if (this.#owned.get(nameOf(made)) === undefined) this.#unspent.set(nameOf(made), record);
    return this.#bought.put(nameOf(made), record);
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

  /** Binds an own coin to the holder that an order names. */
  next(owned: OwnedCoin, holder: Uint8Array, nonce: Uint8Array): Binding {
    return this.#bind(owned, holder, owned.current.sequence + 1n, nonce);
  }

  /** What the owner now knows of its coin. */
  ownedAs(record: OwnedCoin): StoreWrite {
    this.#unspent.delete(nameOf(record.coin));
    return this.#owned.put(nameOf(record.coin), record);
  }

  /** True for a coin that was here under that sequence number or a later one. */
  wasHere(bound: Binding): boolean {
    return (this.#lastSequence.get(nameOf(bound)) ?? 0n) >= bound.sequence;
  }

  received(held: HeldCoin): StoreWrite {
    const bound = held.paid.binding;
    this.#noteSequence(bound);
    this.#holdings.set(placeOf(bound), held);
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
    this.#holdings.delete(placeOf(paid.binding));
    return { handed, write: this.#handed.put(placeOf(paid.binding), handed) };
  }

  /** Value given to others, by this node's records. */
  get partedMsat(): Value {
    const owned = [...this.#owned.entries()].map(([, record]) => record.coin.value);
    const ours = new Set([...this.#held.entries()].map(([, { paid }]) => toHex(paid.binding.holder)));
    const given = [...this.#handed.entries()]
      .filter(
        ([, handed]) => handed.order.kind === orderKind.transfer && !ours.has(toHex(handed.order.said.next)),
      )
      .map(([, handed]) => handed.paid.coin.value);
    return sum([...owned, ...given]);
  }

  /** Value ever received of others. A renewal gives a coin to ourselves. */
  get receivedMsat(): Value {
    const renewed = new Set([...this.#handed.entries()].map(([, handed]) => toHex(handed.order.said.next)));
    const received = [...this.#held.entries()].filter(
      ([, { paid }]) => !renewed.has(toHex(paid.binding.holder)),
    );
    return sum(received.map(([, { paid }]) => paid.coin.value));
  }

  #bind(made: BoughtCoin, holder: Uint8Array, sequence: bigint, nonce: Uint8Array): Binding {
    const { coinKey, expirySeconds } = made.coin;
    const until = Math.min(expirySeconds, this.#nowSeconds() + bindingSeconds);
    const fields = { coinKey, holder, sequence, expirySeconds: until, nonce };
    return binding.sign(new SigningKey(made.secret), fields);
  }

  #lasts(expirySeconds: number): boolean {
    return expirySeconds - expiryMarginSeconds > this.#nowSeconds();
  }

  #nowSeconds(): number {
    return Math.floor(this.#setup.host.clock.wallMs() / 1_000);
  }

  #noteSequence(bound: Binding): void {
    const name = nameOf(bound);
    if (bound.sequence > (this.#lastSequence.get(name) ?? 0n)) this.#lastSequence.set(name, bound.sequence);
  }
}

function sum(values: readonly Value[]): Value {
  return values.reduce((total, value) => total + value, 0n);
}
