import { concatBytes, toHex } from '../../base/bytes.ts';
import type { Answer, Endpoint, PartyAddress, StoreWrite } from '../../ports.ts';
import { Asks } from '../asks.ts';
import { type Errand, type ErrandEnd, type ErrandNews, Errands } from '../errands.ts';
import { askedByAccount, type CoinWords } from './coin-messages.ts';
import type { Purchase } from './coin-payer.ts';
import type { CoinSetup } from './coin-setup.ts';

/** Purchases that may be under way: beyond that the broker has been away for long. */
const purchasesMax = 8;
const purchaseIdBytes = 8;
/** Refusals that asking again may mend. */
const passing: readonly string[] = ['unreachable', 'late', 'malformed', 'busy', 'partyUnavailable'];

export interface CoinErrandsOptions {
  readonly setup: CoinSetup;
  readonly words: CoinWords;
  /** Keeps its records apart from those of the node's other sides. */
  readonly side: string;
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
    const { setup, side, words } = options;
    const { host } = setup;
    this.#options = options;
    this.#asks = new Asks(() => host.newAsk());
    this.#errands = new Errands(host, `${words.name}/errand/${side}/`, (errand, news) =>
      this.#done(errand, news),
    );
  }

  onAnswer(answer: Answer): boolean {
    if (this.#errands.onAnswer(answer)) return true;
    if (!this.#asks.has(answer.ask)) return false;
    this.#asks.onAnswer(answer);
    return true;
  }

  /** Makes records durable. */
  store(writes: readonly StoreWrite[], done: () => void): void {
    const ask = this.#asks.open(() => void done());
    this.#options.setup.host.store.commit(writes, ask);
  }

  /** Asks once; told undefined when there is no reply. */
  ask(to: PartyAddress, request: Uint8Array, done: (reply: Uint8Array | undefined) => void): void {
    const { setup, words } = this.#options;
    const ask = this.#asks.open(answer => {
      done(answer.kind === 'party' && answer.fault === undefined ? answer.reply : undefined);
      return undefined;
    });
    setup.host.parties.ask(to, words.id, request, ask);
  }

  /**
   * Asks whoever manages a coin, and the broker if that does not answer as it should; undefined: neither does.
   * @param judge also told whether it is the broker's word.
   */
  askManager<T>(
    manager: Endpoint | undefined,
    request: Uint8Array,
    judge: (reply: Uint8Array, isBrokers: boolean) => T | undefined,
    done: (outcome: T | undefined) => void,
  ): void {
    const { endpoint } = this.#options.setup.broker;
    this.ask(manager ?? endpoint, request, reply => {
      const outcome = reply === undefined ? undefined : judge(reply, manager === undefined);
      if (outcome !== undefined || manager === undefined) done(outcome);
      else this.askManager(undefined, request, judge, done);
    });
  }

  /**
   * Buys of the broker, however often it must be asked; `done` may be told that it takes too long: at once, or while an answer is
   * dealt with, since only then can the outcome of a payment be told.
   */
  buy(body: Uint8Array, memo: Uint8Array, done: (purchase: Purchase) => void): void {
    const { setup, words } = this.#options;
    if (this.#errands.underWay.filter(isPurchase).length >= purchasesMax) {
      done('unavailable');
      return;
    }
    const id = setup.host.entropy.bytes(purchaseIdBytes);
    this.#buyers.set(toHex(id), done);
    this.#send(askedByAccount(setup, words, body), concatBytes(id, memo), []);
  }

  /** Tells the broker, however often it takes. @param also records that become durable with it. */
  tell(request: Uint8Array, also: readonly StoreWrite[] = []): void {
    this.#send(request, new Uint8Array(0), also);
  }

  #send(request: Uint8Array, memo: Uint8Array, also: readonly StoreWrite[]): void {
    const { setup, words } = this.#options;
    this.#errands.send({ to: setup.broker.endpoint, scheme: words.id, request, memo }, also);
  }

  #done(errand: Errand, news: ErrandNews): ErrandEnd {
    const bought = isPurchase(errand);
    if ('fault' in news) {
      if (bought) this.#tellBuyer(errand, news.fault === 'overspent' ? 'noFunds' : 'unavailable');
      if (passing.includes(news.fault)) return 'again';
      if (!bought) this.#options.setup.host.observer.log('warn', 'coin.refused', { fault: news.fault });
      return [];
    }
    if (!bought) return [];
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

/** A message that must arrive has no memo: whoever sent it need know nothing of its answer. */
function isPurchase({ memo }: Errand): boolean {
  return memo.length > 0;
}
