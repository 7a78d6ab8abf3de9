import { equalBytes, toHex } from '../../base/bytes.ts';
import { struct, u64 } from '../../base/struct.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { type ErrandEnd, type ErrandNews, Errands } from '../../payment/errands.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { Party, PaymentStatusName, Served } from '../../payment/scheme.ts';
import type { Answer, StoreWrite } from '../../ports.ts';
import { WhoPayDealings } from './dealings.ts';
import {
  accountMessage,
  accountOp,
  answerOp,
  type Binding,
  boundAnswer,
  contradictedAnswer,
  historyMax,
  type News,
  news,
  orderKind,
  requestOp,
  type Step,
  schemeId,
  stepRequest,
  syncBody,
  syncReply,
} from './messages.ts';
import type { OwnedCoin, WhoPayPurse } from './purse.ts';
import type { WhoPaySetup } from './setup.ts';
import { isGenuine, isSameOrder, nameOf, placeOf } from './steps.ts';

/** How often an owner at rest asks whether it must say what became of a coin. */
const askEveryMs = 6 * 3_600_000;

const syncRecord = struct({ last: u64 });

/**
 * Answers for the coins that this node bought and gave away: binds them to whom their holders order, and keeps the orders,
 * so that it can always show by which it bound a coin to another. It never learns who the holders are.
 *
 * After a time away it first hears from the broker what was done in its place; until then it binds nothing.
 */
export class WhoPayOwner implements Party {
  readonly #setup: WhoPaySetup;
  readonly #purse: WhoPayPurse;
  readonly #dealings: WhoPayDealings;
  readonly #errands: Errands;
  readonly #cursor: RecordBook<{ readonly last: bigint }>;
  /** What the broker told of. Apart from the purse's records, which requests change. */
  readonly #told: RecordBook<News>;
  #synced = false;

  constructor(setup: WhoPaySetup, purse: WhoPayPurse) {
    this.#setup = setup;
    this.#purse = purse;
    this.#dealings = new WhoPayDealings(setup, purse, 'owner');
    this.#cursor = new RecordBook(setup.host.store, 'whopay/sync/', syncRecord);
    this.#told = new RecordBook(setup.host.store, 'whopay/told/', news);
    for (const [, told] of this.#told.entries()) this.#learn(told);
    this.#errands = new Errands(setup.host, 'whopay/errand/sync/', (_errand, told) => this.#onSync(told));
    if (this.#errands.size === 0) this.#sync();
    this.#askLater();
  }

  serve(request: Uint8Array): Served {
    const message = request[0] === requestOp.transfer ? stepRequest.decode(request) : undefined;
    if (message === undefined || message.step.order.kind !== orderKind.transfer) return refused('malformed');
    if (!this.#synced) return refused('busy');
    const { step } = message;
    const owned = this.#purse.owned(nameOf(message.coin));
    if (owned === undefined) return refused('unknownChannel');
    if (!isGenuine(owned.coin, step, this.#setup.broker.key)) return refused('badSignature');
    const at = owned.steps.findIndex(({ order }) => equalBytes(order.said.holder, step.order.said.holder));
    if (at >= 0) return this.#again(owned, at, step);
    const { current } = owned;
    if (step.binding.sequence > current.sequence) {
      // The broker has bound it since we last asked.
      this.#sync();
      return refused('busy');
    }
    if (step.binding.sequence < current.sequence || !equalBytes(step.binding.holder, current.holder))
      return refused('stale');
    if (owned.steps.length >= historyMax) return refused('frozen');
    const { next, nonce } = step.order.said;
    const bound = this.#purse.next(owned, next, nonce);
    const persist = [this.#purse.ownedAs({ ...owned, current: bound, steps: [...owned.steps, step] })];
    return { kind: 'reply', reply: boundAnswer.encode({ op: answerOp.bound, binding: bound }), persist };
  }

  onAnswer(answer: Answer): undefined {
    if (!this.#errands.onAnswer(answer)) this.#dealings.onAnswer(answer);
  }

  /** The holder's key has given an order before: the same answer for the same, the proof of it for another. */
  #again(owned: OwnedCoin, at: number, step: Step): Served {
    const known = owned.steps[at];
    if (isSameOrder(known.order, step.order)) {
      const bound: Binding = owned.steps[at + 1]?.binding ?? owned.current;
      return {
        kind: 'reply',
        reply: boundAnswer.encode({ op: answerOp.bound, binding: bound }),
        persist: [],
      };
    }
    this.#dealings.report(owned.coin, [known, step]);
    const reply = contradictedAnswer.encode({ op: answerOp.contradicted, step: known });
    return { kind: 'reply', reply, persist: [] };
  }

  #askLater(): void {
    this.#setup.host.clock.after(askEveryMs, () => {
      this.#ask();
      this.#askLater();
    });
  }

  /** Nothing is answered before the broker has told what it did. */
  #sync(): void {
    this.#synced = false;
    this.#ask();
  }

  #ask(): void {
    if (this.#errands.size > 0) return;
    const { host, account, broker } = this.#setup;
    const body = syncBody.encode({ op: accountOp.sync, after: this.#cursor.get('cursor')?.last ?? 0n });
    const envelope = makeAccountRequest(account, host.entropy, body);
    const request = accountMessage.encode({ op: requestOp.account, envelope });
    this.#errands.send({ to: broker.endpoint, scheme: schemeId, request, memo: new Uint8Array(0) });
  }

  #onSync(told: ErrandNews): ErrandEnd {
    const reply = 'fault' in told ? undefined : syncReply.decode(told.reply);
    if (reply === undefined) return 'again';
    const writes: StoreWrite[] = [];
    for (const each of reply.news) {
      this.#learn(each);
      writes.push(this.#told.put(placeOf(each.step.binding), each));
    }
    for (const coinKey of reply.wanted) {
      const owned = this.#purse.owned(toHex(coinKey));
      if (owned !== undefined) this.#dealings.report(owned.coin, owned.steps);
    }
    writes.push(this.#cursor.put('cursor', { last: reply.last }));
    if (reply.news.length === 0) this.#synced = true;
    else this.#setup.host.clock.after(0, () => this.#ask());
    return writes;
  }

  /** What the broker did, if it is what follows; the holder's two orders, if we have carried out another. */
  #learn({ step, bound: [bound] }: News): void {
    const owned = this.#purse.owned(toHex(step.binding.coinKey));
    if (owned === undefined || !isGenuine(owned.coin, step, this.#setup.broker.key)) return;
    const known = owned.steps.find(({ order }) => equalBytes(order.said.holder, step.order.said.holder));
    if (known !== undefined) {
      if (!isSameOrder(known.order, step.order)) this.#dealings.report(owned.coin, [known, step]);
    } else if (bound !== undefined && step.binding.sequence >= owned.current.sequence) {
      this.#purse.ownedAs({ ...owned, current: bound, steps: [...owned.steps, step] });
    }
  }
}

function refused(code: PaymentStatusName): Served {
  return { kind: 'refused', fault: { code } };
}
