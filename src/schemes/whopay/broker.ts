import { equalBytes } from '../../base/bytes.ts';
import { countedList, type Holds, struct, u8, u16, u64 } from '../../base/struct.ts';
import type { BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import { sell, serveAccount } from '../../payment/coins/coin-counter.ts';
import { syncBody } from '../../payment/coins/coin-messages.ts';
import { coinSeconds, secondsOf } from '../../payment/coins/coin-times.ts';
import { coinsPerPaymentMax } from '../../payment/coins/denominations.ts';
import { OwnerQueue } from '../../payment/coins/owner-queue.ts';
import { SoldCoins } from '../../payment/coins/sold-coins.ts';
import { type PaymentStatusName, refused, type Served, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import { BindingList } from './binding-list.ts';
import { doubleBinding, type Fraud, fraudIn, isUnjustified, unanswered, unansweredProof } from './fraud.ts';
import {
  accountOp,
  answerOp,
  type Binding,
  binding,
  boughtReply,
  boundAnswer,
  buyBody,
  claim,
  coin,
  contradictedAnswer,
  historyMax,
  listReply,
  listRequest,
  type News,
  news,
  orderKind,
  reportRequest,
  requestOp,
  type Step,
  schemeId,
  schemeName,
  step,
  stepRequest,
  syncNewsMax,
  syncReply,
} from './messages.ts';
import { bindingSeconds } from './purse.ts';
import { isBound, isGenuine, isSameOrder, nameOf, ownerIdOf } from './steps.ts';

/** An owner that cannot be reached for so long, and that must say by whose order it bound a coin, is convicted. */
const ownerAnswerSeconds = 7n * 86_400n;
/** Orders kept of one coin, and claims: those beyond are told no more. */
const knownMax = 64;

/** All that the broker knows of a coin that it sold. */
const coinRecord = struct({
  coin,
  claim,
  /** What its holders ordered, as far as the broker was told: the oldest first, and what it did about it. */
  known: countedList(u16, news),
  /** 1: the last of these was a deposit. */
  deposited: u8,
  /** Orders that contradict these, and by which nobody is convicted yet. */
  claims: countedList(u16, step),
  /** When the owner was first asked about them, in seconds since 1970; 0: it was not. */
  askedSeconds: u64,
  /** 1: somebody was convicted of spending it twice. */
  judged: u8,
});
type BrokerCoin = Holds<typeof coinRecord>;

/** Sells coins and takes them back, binds them while their owner is away, and finds out who spent one twice. */
export class WhoPayBroker implements BrokerSide {
  readonly #host: BrokerHost;
  /** By the coin's key. */
  readonly #coins: SoldCoins<BrokerCoin>;
  readonly #queue: OwnerQueue<News>;
  readonly #list: BindingList;

  constructor(host: BrokerHost) {
    this.#host = host;
    this.#coins = new SoldCoins(host.store, 'whopay/coin/', coinRecord);
    this.#queue = new OwnerQueue(host.store, schemeName, news, ({ step }) => nameOf(step.binding));
    this.#list = new BindingList(host.store);
  }

  outstandingMsat(): Value {
    return this.#coins.outstandingMsat;
  }

  serve(request: Uint8Array): Served {
    switch (request[0]) {
      case requestOp.account:
        return serveAccount(this.#host, request, {
          [accountOp.buy]: (account, body) => this.#sell(account, body),
          [accountOp.sync]: (account, body) => this.#tell(account, body),
        });
      case requestOp.transfer:
      case requestOp.deposit:
        return this.#serveStep(request);
      case requestOp.report:
        return this.#serveReport(request);
      case requestOp.list:
        return this.#serveList(request);
      default:
        return refused('malformed');
    }
  }

  /** Convicts owners that have shown nothing for too long. */
  onTick(): readonly StoreWrite[] {
    const before = BigInt(this.#nowSeconds()) - ownerAnswerSeconds;
    return this.#coins.overdue(before).flatMap(([, record]) => this.#convictSilent(record));
  }

  #sell(account: Uint8Array, body: Uint8Array): Served {
    const wish = buyBody.decode(body)?.coins ?? [];
    const fault = this.#faultOf(account, wish);
    if (fault !== undefined) return refused(fault);
    const sold = sell(
      this.#host,
      schemeId,
      account,
      wish.map(({ exponent }) => exponent),
    );
    if (typeof sold === 'string') return refused(sold);
    const [ownerId, expirySeconds] = [ownerIdOf(account), this.#nowSeconds() + coinSeconds];
    const coins = wish.map(({ claim: { coinKey } }, at) =>
      coin.sign(this.#host.key, { coinKey, ownerId, value: sold.values[at], expirySeconds }),
    );
    const fresh = { known: [], deposited: 0, claims: [], askedSeconds: 0n, judged: 0 };
    const records = coins.map((made, at) => this.#put({ coin: made, claim: wish[at].claim, ...fresh }));
    return { kind: 'reply', reply: boughtReply.encode({ coins }), persist: [...sold.persist, ...records] };
  }

  /** A key is a coin once, and of who claims it. */
  #faultOf(
    account: Uint8Array,
    coins: readonly { readonly claim: BrokerCoin['claim'] }[],
  ): PaymentStatusName | undefined {
    if (new Set(coins.map(each => nameOf(each.claim))).size < coins.length) return 'stale';
    if (coins.some(each => this.#coins.get(nameOf(each.claim)) !== undefined)) return 'stale';
    const claimed = coins.every(
      each => equalBytes(each.claim.account, account) && claim.isBy(account, each.claim),
    );
    return claimed ? undefined : 'badSignature';
  }

  #tell(owner: Uint8Array, body: Uint8Array): Served {
    const wish = syncBody.decode(body);
    if (wish === undefined) return refused('malformed');
    const entries = this.#queue.after(owner, wish.after).slice(0, syncNewsMax);
    const wanted = this.#coins
      .asked()
      .filter(([, record]) => equalBytes(record.claim.account, owner))
      .map(([, record]) => record.coin.coinKey);
    const last = entries.at(-1)?.entry ?? wish.after;
    const reply = syncReply.encode({ last, news: entries.map(entry => entry.news), wanted });
    return { kind: 'reply', reply, persist: this.#queue.heard(owner, wish.after) };
  }

  #serveStep(request: Uint8Array): Served {
    const message = stepRequest.decode(request);
    if (message === undefined) return refused('malformed');
    const { op, step } = message;
    const isDeposit = step.order.kind === orderKind.deposit;
    if (isDeposit !== (op === requestOp.deposit)) return refused('badTerms');
    const record = this.#coins.get(nameOf(message.coin));
    if (record === undefined) return refused('unknownChannel');
    if (!isGenuine(record.coin, step, this.#host.key.publicKey)) return refused('badSignature');
    const now = this.#nowSeconds();
    const expired = record.coin.expirySeconds <= now || step.binding.expirySeconds <= now;
    const done = record.known.find(news => isSameOrder(news.step.order, step.order));
    if (done !== undefined) return answered(done, []);
    if (expired) return refused('expired');
    const last = record.known.at(-1)?.step;
    const isNext = last === undefined || step.binding.sequence > last.binding.sequence;
    if (!isNext || record.deposited === 1) return this.#contradict(record, step);
    return isDeposit ? this.#credit(record, step) : this.#bind(record, step);
  }

  #credit(record: BrokerCoin, step: Step): Served {
    const news = { step, bound: [] };
    const written = this.#put({ ...record, known: withNews(record.known, news), deposited: 1 });
    const account = step.order.said.next;
    return answered(news, [written, ...this.#host.accounts.deposit(schemeId, account, record.coin.value)]);
  }

  #bind(record: BrokerCoin, step: Step): Served {
    if (this.#queue.isFull(record.claim.account, nameOf(record.coin))) return refused('busy');
    const { coinKey, next, nonce } = step.order.said;
    const expirySeconds = Math.min(record.coin.expirySeconds, this.#nowSeconds() + bindingSeconds);
    const sequence = step.binding.sequence + 1n;
    const bound = binding.sign(this.#host.key, { coinKey, holder: next, sequence, expirySeconds, nonce });
    const news = { step, bound: [bound] };
    const written = this.#put({ ...record, known: withNews(record.known, news) });
    return answered(news, [written, ...this.#queue.add(record.claim.account, news)]);
  }

  /** What somebody orders contradicts what is known: a cheat is proven by both, or the owner must say more. */
  #contradict(record: BrokerCoin, step: Step): Served {
    const found = this.#fraudAmong(record, [step]);
    const claims = withClaim(record.claims, step);
    if (found !== undefined) {
      const reply = contradictedAnswer.encode({ op: answerOp.contradicted, step: found.known });
      return { kind: 'reply', reply, persist: this.#convict({ ...record, claims }, found.fraud) };
    }
    const isNews = claims.length > record.claims.length;
    const askedSeconds = isNews ? BigInt(this.#nowSeconds()) : record.askedSeconds;
    const persist = [this.#put({ ...record, claims, askedSeconds })];
    return { kind: 'reply', reply: Uint8Array.of(answerOp.undecided), persist };
  }

  /** Orders of a coin: two that somebody found to contradict each other, or all that its owner has. */
  #serveReport(request: Uint8Array): Served {
    const message = reportRequest.decode(request);
    if (message === undefined || message.steps.length > historyMax) return refused('malformed');
    const record = this.#coins.get(nameOf(message.coin));
    if (record === undefined) return refused('unknownChannel');
    const { steps } = message;
    if (!steps.every(step => isGenuine(record.coin, step, this.#host.key.publicKey)))
      return refused('badSignature');
    const found = this.#fraudAmong(record, steps);
    const persist = found === undefined ? this.#explained(record, steps) : this.#convict(record, found.fraud);
    return { kind: 'reply', reply: new Uint8Array(0), persist };
  }

  /** All are on the list then, or those that speak against it are told; and whoever bound a coin to two is convicted. */
  #serveList(request: Uint8Array): Served {
    const message = listRequest.decode(request);
    if (message === undefined || message.coins.length > 2 * coinsPerPaymentMax) return refused('malformed');
    const records: BrokerCoin[] = [];
    for (const { binding: bound } of message.coins) {
      const record = this.#coins.get(nameOf(bound));
      if (record === undefined) return refused('unknownChannel');
      if (!isBound(record.coin, bound, this.#host.key.publicKey)) return refused('badSignature');
      records.push(record);
    }
    const persist: StoreWrite[] = [];
    const against: Binding[] = [];
    for (const [at, { binding: bound }] of message.coins.entries()) {
      const listed = this.#list.put(bound);
      if (listed.kind === 'listed') persist.push(...listed.write);
      else {
        const fraud = doubleBinding(bound, listed.known, claim.encode(records[at].claim));
        if (fraud !== undefined) persist.push(...this.#convict(records[at], fraud));
        against.push(listed.known);
      }
    }
    return { kind: 'reply', reply: listReply.encode({ known: against }), persist };
  }

  /** What was claimed may be what its owner has long carried out. */
  #explained(record: BrokerCoin, steps: readonly Step[]): readonly StoreWrite[] {
    const claims = record.claims.filter(each => !steps.some(({ order }) => isSameOrder(order, each.order)));
    if (claims.length === record.claims.length) return [];
    const askedSeconds = claims.length === 0 ? 0n : record.askedSeconds;
    return [this.#put({ ...record, claims, askedSeconds })];
  }

  #fraudAmong(
    record: BrokerCoin,
    shown: readonly Step[],
  ): { readonly fraud: Fraud; readonly known: Step } | undefined {
    const all = [...record.known.map(({ step }) => step), ...record.claims, ...shown];
    for (const step of shown) {
      for (const known of all) {
        const fraud = fraudIn(step, known, claim.encode(record.claim));
        if (fraud !== undefined) return { fraud, known };
      }
    }
    return undefined;
  }

  /** Once for each coin: the proof is filed, and where an account is known what the coin is worth is taken from it. */
  #convict(record: BrokerCoin, { proof, account }: Fraud): readonly StoreWrite[] {
    if (record.judged === 1) return [];
    const charged = account === undefined ? [] : this.#host.accounts.charge(account, record.coin.value);
    return [this.#put({ ...record, judged: 1 }), ...this.#host.file(proof), ...charged];
  }

  #convictSilent(record: BrokerCoin): readonly StoreWrite[] {
    const all = [...record.known.map(({ step }) => step), ...record.claims];
    for (const first of all) {
      for (const second of all) {
        if (!isUnjustified(first, second)) continue;
        const { coinKey } = record.coin;
        const word = unanswered.sign(this.#host.key, { coinKey, askedSeconds: record.askedSeconds });
        const proof = unansweredProof(
          claim.encode(record.claim),
          this.#host.key.publicKey,
          coin.encode(record.coin),
          [first, second],
          unanswered.encode(word),
        );
        return this.#convict(record, { proof, account: record.claim.account });
      }
    }
    // It was no contradiction, only an order that is long passed over.
    return [this.#put({ ...record, claims: [], askedSeconds: 0n })];
  }

  #put(record: BrokerCoin): StoreWrite {
    return this.#coins.put(nameOf(record.coin), record);
  }

  #nowSeconds(): number {
    return secondsOf(this.#host.clock);
  }
}

/** The binding that follows an order, or after a deposit nothing. */
function answered({ bound: [bound] }: News, persist: readonly StoreWrite[]): Served {
  const reply =
    bound === undefined ? new Uint8Array(0) : boundAnswer.encode({ op: answerOp.bound, binding: bound });
  return { kind: 'reply', reply, persist };
}

function withNews(known: readonly News[], news: News): readonly News[] {
  return [...known.slice(1 - knownMax), news];
}

function withClaim(claims: readonly Step[], step: Step): readonly Step[] {
  const isKnown = claims.some(each => isSameOrder(each.order, step.order));
  return isKnown || claims.length >= knownMax ? claims : [...claims, step];
}
