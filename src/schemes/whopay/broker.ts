import { concatBytes, equalBytes, toHex, utf8 } from '../../base/bytes.ts';
import { countedList, type Holds, struct, u8, u16, u64 } from '../../base/struct.ts';
import type { BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import { sell, serveAccount } from '../../payment/coins/coin-counter.ts';
import { syncBody } from '../../payment/coins/coin-messages.ts';
import { answerSeconds, coinSeconds, hasExpired, secondsOf } from '../../payment/coins/coin-times.ts';
import { Damages, type Spends } from '../../payment/coins/damages.ts';
import { coinsPerPaymentMax } from '../../payment/coins/denominations.ts';
import { OwnerQueue } from '../../payment/coins/owner-queue.ts';
import { SoldCoins } from '../../payment/coins/sold-coins.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { type PaymentStatusName, refused, type Served, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import { BindingList } from './binding-list.ts';
import { doubleBinding, type Fraud, fraudIn } from './fraud.ts';
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
  type Refund,
  refund,
  refundRequest,
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
import { follows, isBound, isGenuine, isSameOrder, nameOf, ownerIdOf } from './steps.ts';

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
  /** Orders that contradict these. */
  claims: countedList(u16, step),
  /** When the owner was asked about them last, in seconds since 1970; 0: it need not say any more. */
  askedSeconds: u64,
  /** Of earlier versions. */
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
  readonly #damages: Damages;
  /** By the key that signed them. */
  readonly #refunds: RecordBook<Refund>;

  constructor(host: BrokerHost) {
    this.#host = host;
    this.#coins = new SoldCoins(host.store, 'whopay/coin/', coinRecord);
    this.#queue = new OwnerQueue(host.store, schemeName, news, ({ step }) => nameOf(step.binding));
    this.#list = new BindingList(host.store);
    this.#damages = new Damages(host.accounts, host.store, schemeName);
    this.#refunds = new RecordBook(host.store, 'whopay/refund/', refund);
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
      case requestOp.refund:
        return this.#serveRefund(request);
      default:
        return refused('malformed');
    }
  }

  /** When its time is over an owner that has shown nothing pays, and refunds are paid. Nothing more comes of the coin then, and it is forgotten. */
  onTick(): readonly StoreWrite[] {
    const isOver = ({ coin: { expirySeconds } }: BrokerCoin) =>
      hasExpired(expirySeconds + answerSeconds, this.#host.clock);
    const refunds = [...this.#refunds.entries()].flatMap(([name, said]) => {
      const record = this.#coins.get(nameOf(said));
      return record === undefined || !isOver(record) ? [] : [{ name, record }];
    });
    const asked = this.#coins.asked().filter(([, record]) => isOver(record));
    return [
      ...asked.flatMap(([, record]) => this.#chargeOwner(record)),
      // Else what was demanded of convicts is there, as far as nobody who handed the coin in has had it.
      ...refunds.flatMap(({ record }) => {
        const short = this.#shortOf(record).filter(({ claim }) => claim.order.kind === orderKind.transfer);
        return this.#payShort(record, short);
      }),
      ...refunds.map(({ name }) => this.#refunds.drop(name)),
      ...asked.map(([, record]) => this.#put({ ...record, claims: [], askedSeconds: 0n })),
      ...this.#coins.forget(this.#nowSeconds() - answerSeconds, record => this.#end(record)),
    ];
  }

  /** What nobody handed in is again whose it was at first. */
  #end({ coin: made, claim: { account }, deposited }: BrokerCoin): readonly StoreWrite[] {
    const name = nameOf(made);
    return [
      ...(deposited === 1 ? [] : this.#host.accounts.deposit(schemeId, account, made.value)),
      ...this.#damages.forget(name),
      ...this.#queue.forget(account, name),
      ...this.#list.forget(made),
    ];
  }

  /**
   * By whose order it bound the coin to another its owner must be able to show: it pays who is short by its word. That convicts
   * nobody: it may be away.
   */
  #chargeOwner(record: BrokerCoin): readonly StoreWrite[] {
    const { known, coin: made } = record;
    const isOwners = ({ binding: bound }: Step) => binding.isBy(made.coinKey, bound);
    const short = this.#shortOf(record).filter(({ claim }) => {
      const isPast = ({ step }: News) => step.binding.sequence >= claim.binding.sequence && isOwners(step);
      return isOwners(claim) || known.some(isPast);
    });
    if (short.length === 0) return [];
    // The coin itself has paid one.
    const said = [utf8('first'), ...short.map(({ claim }) => claim.order.said.holder)];
    const spends = { fork: utf8('not shown'), said };
    const demanded = this.#damages.demand(nameOf(made), made.value, [record.claim.account], spends) ?? [];
    return [...demanded, ...this.#payShort(record, short)];
  }

  #payShort({ coin: made }: BrokerCoin, short: readonly Short[]): readonly StoreWrite[] {
    return short.flatMap(({ account, claim }) =>
      this.#damages.pay(nameOf(made), [{ account, msat: made.value }], claim.order.said.holder),
    );
  }

  /** Who has claimed the coin and nothing of it, and is guilty of nothing that is known. */
  #shortOf(record: BrokerCoin): readonly Short[] {
    const { claims, coin: made, known } = record;
    const cheats = this.#fraudsAmong(record, claims).map(({ fraud }) => toHex(fraud.spends.fork));
    const all = [...known.map(({ step }) => step), ...claims];
    return claims.flatMap(claim => {
      const { kind, said } = claim.order;
      const account = kind === orderKind.deposit ? said.next : this.#refunds.get(toHex(said.holder))?.account;
      const isCarriedOut = all.some(({ binding: bound }) => follows(claim, bound));
      if (account === undefined || isCarriedOut || cheats.includes(toHex(said.holder))) return [];
      return this.#damages.hasPaid(nameOf(made), said.holder) ? [] : [{ claim, account }];
    });
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
    const expirySeconds = this.#nowSeconds() + coinSeconds;
    const coins = wish.map(({ claim: { coinKey } }, at) =>
      coin.sign(this.#host.key, {
        coinKey,
        ownerId: ownerIdOf(account, coinKey),
        value: sold.values[at],
        expirySeconds,
      }),
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
    if (!isGenuine(record.coin, step, this.#host.key.publicKey, this.#list.last(record.coin)))
      return refused('badSignature');
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
    const found = this.#fraudsAmong(record, [step]);
    const [first] = found;
    const reply =
      first === undefined
        ? Uint8Array.of(answerOp.undecided)
        : contradictedAnswer.encode({ op: answerOp.contradicted, step: first.known });
    const claims = withClaim(record.claims, step);
    const isNews = claims.length > record.claims.length && first === undefined;
    const askedSeconds = isNews ? BigInt(this.#nowSeconds()) : record.askedSeconds;
    const claimed = this.#put({ ...record, claims, askedSeconds });
    return { kind: 'reply', reply, persist: [claimed, ...this.#convict({ ...record, claims }, found, [])] };
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
    const found = this.#fraudsAmong(record, steps);
    const persist = [...this.#convict(record, found, steps), ...this.#explained(record, steps, found)];
    return { kind: 'reply', reply: new Uint8Array(0), persist };
  }

  /** Of an order that was refused because it contradicts others. It is paid at last, when it is known that nobody carried the order out. */
  #serveRefund(request: Uint8Array): Served {
    const said = refundRequest.decode(request)?.refund;
    if (said === undefined) return refused('malformed');
    const record = this.#coins.get(nameOf(said));
    const claimed = record?.claims.some(
      ({ order }) =>
        order.kind === orderKind.transfer &&
        equalBytes(order.said.holder, said.holder) &&
        equalBytes(order.said.next, said.next),
    );
    if (claimed !== true) return refused('unknownChannel');
    if (!refund.isBy(said.holder, said)) return refused('badSignature');
    const name = toHex(said.holder);
    const persist = this.#refunds.get(name) === undefined ? [this.#refunds.put(name, said)] : [];
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
        if (fraud !== undefined) persist.push(...this.#demand(records[at], fraud));
        against.push(listed.known);
      }
    }
    return { kind: 'reply', reply: listReply.encode({ known: against }), persist };
  }

  /** What was claimed may be what its owner has long carried out, or follow from it. A deposit is for no owner to carry out. */
  #explained(record: BrokerCoin, steps: readonly Step[], found: readonly Found[]): readonly StoreWrite[] {
    const isDone = ({ order: { kind }, order }: Step) =>
      kind === orderKind.transfer && steps.some(step => isSameOrder(step.order, order));
    const claims = record.claims.filter(each => !isDone(each));
    const shown = branchOf(
      found.flatMap(({ step, known }) => [step, known]),
      [...steps, ...claims],
    );
    const askedSeconds = claims.every(each => shown.includes(each)) ? 0n : record.askedSeconds;
    if (claims.length === record.claims.length && askedSeconds === record.askedSeconds) return [];
    return [this.#put({ ...record, claims, askedSeconds })];
  }

  #fraudsAmong(record: BrokerCoin, shown: readonly Step[]): readonly Found[] {
    const all = [...record.known.map(({ step }) => step), ...record.claims, ...shown];
    return shown.flatMap(step =>
      all.flatMap(known => {
        const fraud = fraudIn(step, known, claim.encode(record.claim));
        return fraud === undefined ? [] : [{ fraud, step, known }];
      }),
    );
  }

  /** For each spend once: what is demanded of the guilty is for those who handed the coin in besides. */
  #convict(record: BrokerCoin, found: readonly Found[], shown: readonly Step[]): readonly StoreWrite[] {
    const writes = found.flatMap(({ fraud }) => this.#demand(record, fraud));
    const wronged = branchOf(
      found.flatMap(({ step, known }) => [step, known]),
      [...record.known.map(({ step }) => step), ...shown, ...record.claims],
    );
    for (const each of record.claims) {
      const { kind, said } = each.order;
      if (kind !== orderKind.deposit || !wronged.some(({ order }) => isSameOrder(order, each.order)))
        continue;
      // Whoever's key signed another order too is wronged by nobody.
      if (found.some(({ fraud }) => equalBytes(fraud.spends.fork, said.holder))) continue;
      const share = { account: said.next, msat: record.coin.value };
      writes.push(...this.#damages.pay(nameOf(record.coin), [share], said.holder));
    }
    return writes;
  }

  /** The proof is filed, and where an account is known what the coin is worth is taken from it. */
  #demand(record: BrokerCoin, { proof, account, spends }: Fraud): readonly StoreWrite[] {
    const { coin: made, known, deposited } = record;
    const demand = (guilty: Uint8Array | undefined, of: Spends) =>
      this.#damages.demand(nameOf(made), made.value, guilty === undefined ? [] : [guilty], of);
    const filed = (writes: readonly StoreWrite[] | undefined) =>
      writes === undefined ? [] : [...this.#host.file(proof), ...writes];
    if (proof.cheat !== 'double-spend') return filed(demand(account, spends));
    // Anybody's account can be named in an order: it answers for no more than it was credited with.
    const last = deposited === 1 ? known.at(-1)?.step.order.said : undefined;
    const isCredited = last !== undefined && equalBytes(last.holder, spends.fork);
    const fork = concatBytes(utf8('credited '), spends.fork);
    const taken = isCredited ? demand(last.next, { fork, said: [fork, last.next] }) : undefined;
    return [...filed(demand(undefined, spends)), ...(taken ?? [])];
  }

  #put(record: BrokerCoin): StoreWrite {
    return this.#coins.put(nameOf(record.coin), record);
  }

  #nowSeconds(): number {
    return secondsOf(this.#host.clock);
  }
}

/** A claim, and whose account has nothing of it. */
interface Short {
  readonly claim: Step;
  readonly account: Uint8Array;
}

/** Somebody's fraud, by two steps. */
interface Found {
  readonly fraud: Fraud;
  readonly step: Step;
  readonly known: Step;
}

/** These steps, and those of the others that go on from them. */
function branchOf(from: readonly Step[], others: readonly Step[]): readonly Step[] {
  const branch = new Set(from);
  // A set is walked over what is added to it meanwhile.
  for (const step of branch) for (const next of others) if (follows(step, next.binding)) branch.add(next);
  return [...branch];
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
