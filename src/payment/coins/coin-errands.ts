import { concatBytes, toHex } from '../../base/bytes.ts';
import type { Answer, Endpoint, PartyAddress, StoreWrite } from '../../ports.ts';
import { Asks } from '../asks.ts';
import { batchOp, batchReply } from '../batches.ts';
import { type Errand, type ErrandEnd, type ErrandNews, Errands } from '../errands.ts';
import { type PaymentStatusName, paymentStatus } from '../scheme.ts';
import { askedByAccount, type CoinWords } from './coin-messages.ts';
import type { Purchase } from './coin-payer.ts';
import type { CoinSetup } from './coin-setup.ts';
import { encodeBatch, inBatches, type Question, together } from './questions.ts';

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

/** What is to be done once all of it is known. */
interface Gathered {
  readonly questions: Question[];
  readonly stored: { readonly writes: readonly StoreWrite[]; readonly done: () => void }[];
  readonly told: { readonly request: Uint8Array; readonly also: readonly StoreWrite[] }[];
}

/** What one side of a node with coins has to do with others: questions, purchases, and messages that must not be lost. */
export class CoinErrands {
  readonly #options: CoinErrandsOptions;
  readonly #asks: Asks<never>;
  readonly #errands: Errands;
  readonly #buyers = new Map<string, (purchase: Purchase) => void>();
  #gathered: Gathered | undefined;

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

  /**
   * What `run` stores, asks and tells leaves together: in one commit, and in one request to each party; and so does what follows from
   * the answers. For the coins of one payment, since an answer can end the wait of one session alone.
   */
  together(run: () => void): void {
    if (this.#gathered !== undefined) {
      run();
      return;
    }
    const gathered: Gathered = { questions: [], stored: [], told: [] };
    this.#gathered = gathered;
    run();
    this.#gathered = undefined;
    const { questions, stored, told } = gathered;
    if (stored.length > 0)
      this.store(
        stored.flatMap(({ writes }) => writes),
        () => this.together(() => stored.forEach(({ done }) => void done())),
      );
    for (const { to, request, done } of together(questions))
      this.ask(to, request, reply => this.together(() => done(reply)));
    for (const batch of inBatches(told, ({ request }) => request.length)) {
      const requests = batch.map(({ request }) => request);
      const request = requests.length === 1 ? requests[0] : encodeBatch(requests);
      this.tell(
        request,
        batch.flatMap(({ also }) => also),
      );
    }
  }

  /** Makes records durable. */
  store(writes: readonly StoreWrite[], done: () => void): void {
    if (this.#gathered !== undefined) {
      this.#gathered.stored.push({ writes, done });
      return;
    }
    const ask = this.#asks.open(() => void done());
    this.#options.setup.host.store.commit(writes, ask);
  }

  /** Asks once; told undefined when there is no reply. */
  ask(to: PartyAddress, request: Uint8Array, done: (reply: Uint8Array | undefined) => void): void {
    if (this.#gathered !== undefined) {
      this.#gathered.questions.push({ to, request, done });
      return;
    }
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
    if (this.#gathered !== undefined) this.#gathered.told.push({ request, also });
    else this.#send(request, new Uint8Array(0), also);
  }

  #send(request: Uint8Array, memo: Uint8Array, also: readonly StoreWrite[]): void {
    const { setup, words } = this.#options;
    this.#errands.send({ to: setup.broker.endpoint, scheme: words.id, request, memo }, also);
  }

  #done(errand: Errand, news: ErrandNews): ErrandEnd {
    const bought = isPurchase(errand);
    if ('fault' in news) {
      if (bought) this.#tellBuyer(errand, news.fault === 'overspent' ? 'noFunds' : 'unavailable');
      return this.#refused([news.fault], bought);
    }
    if (!bought) return errand.request[0] === batchOp ? this.#refused(faultsIn(news.reply), false) : [];
    const writes = this.#options.bought(news.reply, errand.memo.subarray(purchaseIdBytes));
    this.#tellBuyer(errand, writes === undefined ? 'unavailable' : 'bought');
    return writes ?? 'again';
  }

  #refused(faults: readonly string[], bought: boolean): ErrandEnd {
    if (faults.some(fault => passing.includes(fault))) return 'again';
    for (const fault of bought ? [] : faults)
      this.#options.setup.host.observer.log('warn', 'coin.refused', { fault });
    return [];
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

/** Why some of a batch were refused. */
function faultsIn(reply: Uint8Array): readonly string[] {
  const answers = batchReply.decode(reply)?.answers;
  if (answers === undefined) return ['malformed'];
  const names = Object.keys(paymentStatus) as PaymentStatusName[];
  return answers
    .filter(({ status }) => status !== paymentStatus.ok)
    .map(({ status }) => names.find(name => paymentStatus[name] === status) ?? 'malformed');
}
