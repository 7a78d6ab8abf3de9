import { concatBytes, toHex } from '../base/bytes.ts';
import type { Answer, Endpoint, StoreWrite } from '../ports.ts';
import { Asks } from './asks.ts';
import type { Purchase } from './coin-payer.ts';
import { type Errand, type ErrandEnd, type ErrandNews, Errands } from './errands.ts';
import type { SchemeHost } from './scheme.ts';

/** Purchases and messages that may be under way: beyond that the broker has been away for long. */
const errandsMax = 8;
const purchaseIdBytes = 8;
/** Refusals that asking again may mend. */
const passing: readonly string[] = ['unreachable', 'late', 'malformed', 'busy', 'partyUnavailable'];

export interface CoinErrandsOptions {
  readonly host: SchemeHost;
  readonly scheme: number;
  /** Where the broker is asked. */
  readonly broker: Endpoint;
  /** Of the records' keys, apart for each side of a node: `ppay/errand/payer/`. */
  readonly prefix: string;
  /** Checks what was bought and gives the records of it; undefined for what was not ordered. `memo` is that of the order. */
  readonly bought: (reply: Uint8Array, memo: Uint8Array) => readonly StoreWrite[] | undefined;
}

/** What one side of a node with coins has to do with others: questions, purchases, and messages that must not be lost. */
export class CoinErrands {
  readonly #options: CoinErrandsOptions;
  readonly #asks: Asks<never>;
  readonly #errands: Errands;
  readonly #buyers = new Map<string, (purchase: Purchase) => void>();

  constructor(options: CoinErrandsOptions) {
    const { host, prefix } = options;
    this.#options = options;
    this.#asks = new Asks(() => host.newAsk());
    this.#errands = new Errands(host, prefix, (errand, news) => this.#done(errand, news));
  }

  onAnswer(answer: Answer): boolean {
    if (this.#errands.onAnswer(answer)) return true;
    if (!this.#asks.has(answer.ask)) return false;
    this.#asks.onAnswer(answer);
    return true;
  }

  /** Makes a record durable. */
  store(write: StoreWrite, done: () => void): void {
    const ask = this.#asks.open(() => void done());
    this.#options.host.store.commit([write], ask);
  }

  /** Asks once; told undefined when there is no reply. */
  ask(to: Endpoint, request: Uint8Array, done: (reply: Uint8Array | undefined) => void): void {
    const { host, scheme } = this.#options;
    const ask = this.#asks.open(answer => {
      done(answer.kind === 'party' && answer.fault === undefined ? answer.reply : undefined);
      return undefined;
    });
    host.parties.ask(to, scheme, request, ask);
  }

  /** Buys of the broker, however often it must be asked; `done` may be told that it takes too long. */
  buy(request: Uint8Array, memo: Uint8Array, done: (purchase: Purchase) => void): void {
    const { host } = this.#options;
    if (this.#errands.size >= errandsMax) {
      host.clock.after(0, () => done('unavailable'));
      return;
    }
    const id = host.entropy.bytes(purchaseIdBytes);
    this.#buyers.set(toHex(id), done);
    this.#send(request, concatBytes(id, memo), []);
  }

  /** Tells the broker, however often it takes. @param also records that become durable with it. */
  tell(request: Uint8Array, also: readonly StoreWrite[] = []): void {
    this.#send(request, new Uint8Array(0), also);
  }

  #send(request: Uint8Array, memo: Uint8Array, also: readonly StoreWrite[]): void {
    const { broker, scheme } = this.#options;
    this.#errands.send({ to: broker, scheme, request, memo }, also);
  }

  #done(errand: Errand, news: ErrandNews): ErrandEnd {
    const isPurchase = errand.memo.length > 0;
    if ('fault' in news) {
      if (isPurchase) this.#tellBuyer(errand, news.fault === 'overspent' ? 'noFunds' : 'unavailable');
      if (passing.includes(news.fault)) return 'again';
      if (!isPurchase) this.#options.host.observer.log('warn', 'coin.refused', { fault: news.fault });
      return [];
    }
    if (!isPurchase) return [];
    const writes = this.#options.bought(news.reply, errand.memo.subarray(purchaseIdBytes));
    this.#tellBuyer(errand, writes === undefined ? 'unavailable' : 'bought');
    return writes ?? 'again';
  }

  #tellBuyer(errand: Errand, purchase: Purchase): void {
    const id = toHex(errand.memo.subarray(0, purchaseIdBytes));
    const buyer = this.#buyers.get(id);
    this.#buyers.delete(id);
    buyer?.(purchase);
  }
}
