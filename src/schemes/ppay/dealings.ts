import { equalBytes, toHex } from '../../base/bytes.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { Asks } from '../../payment/asks.ts';
import type { Purchase } from '../../payment/coin-payer.ts';
import { type Errand, type ErrandEnd, type ErrandNews, Errands } from '../../payment/errands.ts';
import type { Answer, Endpoint, StoreWrite } from '../../ports.ts';
import { endOf, holderOf, isGenuine, isGenuineAssignment } from './coin-path.ts';
import { fraudIn } from './fraud.ts';
import {
  type AssignedCoin,
  accountMessage,
  accountOp,
  answerOp,
  assignedAnswer,
  boughtReply,
  buyBody,
  type CoinPath,
  contradictedAnswer,
  type PaidCoin,
  pathRequest,
  rawCoin,
  reportRequest,
  requestOp,
  schemeId,
} from './messages.ts';
import type { PPayPurse } from './purse.ts';
import type { PPaySetup } from './setup.ts';

/** What became of a request for reassignment. */
export type Reassignment =
  | { readonly kind: 'assigned'; readonly assigned: AssignedCoin }
  /** Somebody before us has spent the coin twice; that is reported. */
  | { readonly kind: 'contradicted' }
  /** Neither the owner nor the broker answers, or as it should. */
  | { readonly kind: 'unanswered' };

/** Purchases and reports that may be under way: beyond that the broker has been away for long. */
const errandsMax = 8;

/** What one side of a node has to do with owners and the broker. */
export class Dealings {
  readonly #setup: PPaySetup;
  readonly #purse: PPayPurse;
  readonly #asks: Asks<never>;
  readonly #errands: Errands;
  readonly #buying = new Map<string, (purchase: Purchase) => void>();

  /** @param side keeps its errands apart from those of the node's other sides. */
  constructor(setup: PPaySetup, purse: PPayPurse, side: 'payer' | 'payee' | 'owner') {
    this.#setup = setup;
    this.#purse = purse;
    this.#asks = new Asks(() => setup.host.newAsk());
    this.#errands = new Errands(setup.host, `ppay/errand/${side}/`, (errand, news) =>
      this.#done(errand, news),
    );
  }

  onAnswer(answer: Answer): boolean {
    if (this.#errands.onAnswer(answer)) return true;
    if (!this.#asks.has(answer.ask)) return false;
    this.#asks.onAnswer(answer);
    return true;
  }

  /** Makes `write` durable. */
  store(write: StoreWrite, done: () => void): void {
    const ask = this.#asks.open(() => void done());
    this.#setup.host.store.commit([write], ask);
  }

  /** Asks the owner, and if it does not answer as it should the broker, to turn the path's hand-overs into an assignment. */
  reassign({ path, ownerAt: [owner] }: PaidCoin, done: (outcome: Reassignment) => void): void {
    const { broker } = this.#setup;
    if (owner === undefined) this.#askFor(path, broker.endpoint, done);
    else
      this.#askFor(path, owner, atOwner => {
        if (atOwner.kind !== 'unanswered') done(atOwner);
        else this.#askFor(path, broker.endpoint, done);
      });
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    const { host, account, broker } = this.#setup;
    if (this.#errands.size >= errandsMax) {
      host.clock.after(0, () => done('unavailable'));
      return;
    }
    const memo = host.entropy.bytes(8);
    this.#buying.set(toHex(memo), done);
    const envelope = makeAccountRequest(
      account,
      host.entropy,
      buyBody.encode({ op: accountOp.buy, exponents }),
    );
    const request = accountMessage.encode({ op: requestOp.account, envelope });
    this.#errands.send({ to: broker.endpoint, scheme: schemeId, request, memo });
  }

  /** Hands a coin in; `handed` says so on disk, and is written with the errand. */
  deposit(path: CoinPath, handed: StoreWrite): void {
    const request = pathRequest.encode({ op: requestOp.deposit, path });
    this.#tellBroker(request, [handed]);
  }

  /** Tells the broker of two paths of a coin that cannot both be honest. */
  report(first: CoinPath, second: CoinPath): void {
    this.#tellBroker(reportRequest.encode({ op: requestOp.report, first, second }), []);
  }

  #tellBroker(request: Uint8Array, writes: readonly StoreWrite[]): void {
    const to = this.#setup.broker.endpoint;
    this.#errands.send({ to, scheme: schemeId, request, memo: new Uint8Array(0) }, writes);
  }

  #askFor(path: CoinPath, to: Endpoint, done: (outcome: Reassignment) => void): void {
    const ask = this.#asks.open(answer => {
      const reply = answer.kind === 'party' && answer.fault === undefined ? answer.reply : undefined;
      done(reply === undefined ? { kind: 'unanswered' } : this.#judge(path, reply));
      return undefined;
    });
    this.#setup.host.parties.ask(to, schemeId, pathRequest.encode({ op: requestOp.reassign, path }), ask);
  }

  #judge(path: CoinPath, reply: Uint8Array): Reassignment {
    const { key } = this.#setup.broker;
    const assigned = reply[0] === answerOp.assigned ? assignedAnswer.decode(reply)?.assigned : undefined;
    if (assigned !== undefined && isFor(path, assigned) && isGenuineAssignment(assigned, key))
      return { kind: 'assigned', assigned };
    if (reply[0] === answerOp.undecided) return { kind: 'contradicted' };
    const other = reply[0] === answerOp.contradicted ? contradictedAnswer.decode(reply)?.path : undefined;
    if (other === undefined || !isGenuine(other, key) || fraudIn(path, other, key) === undefined)
      return { kind: 'unanswered' };
    this.report(path, other);
    return { kind: 'contradicted' };
  }

  /** Whatever else the broker refuses is no more to be had by asking again. */
  #done(errand: Errand, news: ErrandNews): ErrandEnd {
    const isPurchase = errand.request[0] === requestOp.account;
    if ('fault' in news) {
      const final = !['unreachable', 'late', 'malformed', 'busy', 'partyUnavailable'].includes(news.fault);
      if (isPurchase) this.#tellBuyer(errand, news.fault === 'overspent' ? 'noFunds' : 'unavailable');
      else if (final) this.#setup.host.observer.log('warn', 'ppay.refused', { fault: news.fault });
      return final ? [] : 'again';
    }
    if (!isPurchase) return [];
    const coins = boughtReply.decode(news.reply)?.coins;
    const { account, broker } = this.#setup;
    const good = coins?.every(
      coin => equalBytes(coin.owner, account.publicKey) && rawCoin.isBy(broker.key, coin),
    );
    if (coins === undefined || good !== true) {
      this.#tellBuyer(errand, 'unavailable');
      return 'again';
    }
    const writes = coins.map(coin => this.#purse.bought(coin));
    this.#tellBuyer(errand, 'bought');
    return writes;
  }

  #tellBuyer(errand: Errand, purchase: Purchase): void {
    const id = toHex(errand.memo);
    const buyer = this.#buying.get(id);
    this.#buying.delete(id);
    buyer?.(purchase);
  }
}

function isFor(path: CoinPath, assigned: AssignedCoin): boolean {
  return (
    assigned.position === endOf(path) &&
    equalBytes(assigned.holder, holderOf(path)) &&
    equalBytes(rawCoin.encode(assigned.coin), rawCoin.encode(path.assigned.coin))
  );
}
