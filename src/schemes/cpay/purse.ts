import { equalBytes, toHex } from '../../base/bytes.ts';
import { fixedBytes, type Holds, struct } from '../../base/struct.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import { type Auth, paidCoin, wish } from './messages.ts';
import { KnownRings } from './node-rings.ts';
import { holdingOf } from './ring.ts';
import type { CPaySetup } from './setup.ts';

/** A coin is neither taken nor given when it expires within so long: its holder must have time to deposit it. */
export const expiryMarginSeconds = 86_400;

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

/** How a node's own holding of a coin is named. */
export function ownHoldingOf({ guid, payee, timeMs }: Auth): string {
  return holdingOf({ guid, payer: payee, sinceMs: timeMs });
}

/**
 * All coins of one node, whichever side of it got them: bought, received, and wished away. Records of these are written
 * apart and never changed by two hands, so their order does not matter.
 */
export class CPayPurse {
  /** With the coins, since all sides of the node go by them. */
  readonly rings: KnownRings;
  readonly #setup: CPaySetup;
  readonly #bought: RecordBook<HeldCoin>;
  readonly #received: RecordBook<HeldCoin>;
  readonly #wished: RecordBook<WishedCoin>;
  /** Those of them that were sent to their payees, or that the broker was told of. */
  readonly #gone: RecordBook<WishedCoin>;
  readonly #unspent = new Map<string, HeldCoin>();
  readonly #lastMs = new Map<string, bigint>();

  constructor(setup: CPaySetup) {
    this.#setup = setup;
    this.rings = new KnownRings(setup.broker);
    const { store } = setup.host;
    this.#bought = new RecordBook(store, 'cpay/bought/', heldCoin);
    this.#received = new RecordBook(store, 'cpay/held/', heldCoin);
    this.#wished = new RecordBook(store, 'cpay/wished/', wishedCoin);
    this.#gone = new RecordBook(store, 'cpay/gone/', wishedCoin);
    for (const book of [this.#bought, this.#received])
      for (const [holding, held] of book.entries())
        if (this.#wished.get(holding) === undefined) this.#unspent.set(holding, held);
    for (const [, { paid }] of this.#received.entries()) this.#noteTime(paid.auth);
  }

  spendable(): readonly HeldCoin[] {
    const soonest = this.#setup.host.clock.wallMs() / 1_000 + expiryMarginSeconds;
    return [...this.#unspent.values()].filter(({ paid }) => paid.coin.expirySeconds > soonest);
  }

  /** Of these, the ones that others paid. */
  earned(): readonly HeldCoin[] {
    return this.spendable().filter(({ paid }) => this.#received.get(ownHoldingOf(paid.auth)) !== undefined);
  }

  /** Wishes by which nobody has got a coin yet, as far as we know. They may have been granted. */
  unfinished(): readonly WishedCoin[] {
    return [...this.#wished.entries()]
      .filter(([holding]) => this.#gone.get(holding) === undefined)
      .map(([, wished]) => wished);
  }

  isDeposit(wished: WishedCoin): boolean {
    return equalBytes(wished.wish.payee, this.#setup.broker.key);
  }

  /** True for a coin that was here as of that time or later. */
  wasHere({ guid, timeMs }: Auth): boolean {
    return (this.#lastMs.get(toHex(guid)) ?? 0n) >= timeMs;
  }

  bought(held: HeldCoin): StoreWrite {
    return this.#add(this.#bought, held);
  }

  received(held: HeldCoin): StoreWrite {
    this.#noteTime(held.paid.auth);
    return this.#add(this.#received, held);
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
    const holding = ownHoldingOf(paid.auth);
    this.#unspent.delete(holding);
    return { wished, write: this.#wished.put(holding, wished) };
  }

  /** It goes to its payee, or into the broker's hands. */
  gone(wished: WishedCoin): StoreWrite {
    return this.#gone.put(ownHoldingOf(wished.paid.auth), wished);
  }

  /** Value given to others, by this node's records. */
  get partedMsat(): Value {
    return sum([...this.#gone.entries()].filter(([, wished]) => !this.isDeposit(wished)));
  }

  /** Value ever received of others. */
  get receivedMsat(): Value {
    return sum([...this.#received.entries()]);
  }

  #add(book: RecordBook<HeldCoin>, held: HeldCoin): StoreWrite {
    const holding = ownHoldingOf(held.paid.auth);
    if (this.#wished.get(holding) === undefined) this.#unspent.set(holding, held);
    return book.put(holding, held);
  }

  #noteTime({ guid, timeMs }: Auth): void {
    if (timeMs > (this.#lastMs.get(toHex(guid)) ?? 0n)) this.#lastMs.set(toHex(guid), timeMs);
  }
}

function sum(coins: readonly (readonly [string, { readonly paid: HeldCoin['paid'] }])[]): Value {
  return coins.reduce((total, [, { paid }]) => total + paid.coin.value, 0n);
}
