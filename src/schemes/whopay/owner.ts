import { equalBytes, toHex } from '../../base/bytes.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { OwnerSync } from '../../payment/coins/owner-sync.ts';
import { type Party, refused, type Served } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
import { WhoPayDealings } from './dealings.ts';
import {
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
  stepRequest,
  syncReply,
  words,
} from './messages.ts';
import type { OwnedCoin, WhoPayPurse } from './purse.ts';
import { follows, isBound, isGenuine, isSameOrder, nameOf, placeOf } from './steps.ts';

/**
 * Answers for the coins that this node bought and gave away: binds them to whom their holders order, and keeps the orders,
 * so that it can always show by which it bound a coin to another. It never learns who the holders are.
 */
export class WhoPayOwner implements Party {
  readonly #broker: Uint8Array;
  readonly #purse: WhoPayPurse;
  readonly #dealings: WhoPayDealings;
  readonly #sync: OwnerSync<News>;

  constructor(setup: CoinSetup, purse: WhoPayPurse) {
    this.#broker = setup.broker.key;
    this.#purse = purse;
    this.#dealings = new WhoPayDealings(setup, purse, 'owner');
    this.#sync = new OwnerSync(setup, words, {
      op: accountOp.sync,
      kind: news,
      read: reply => syncReply.decode(reply),
      placeOf: ({ step }) => placeOf(step.binding),
      learn: told => this.#learn(told),
      show: coinKey => this.#show(toHex(coinKey)),
    });
  }

  serve(request: Uint8Array): Served {
    const message = request[0] === requestOp.transfer ? stepRequest.decode(request) : undefined;
    if (message === undefined || message.step.order.kind !== orderKind.transfer) return refused('malformed');
    if (!this.#sync.synced) return refused('busy');
    const { step } = message;
    const owned = this.#purse.owned(nameOf(message.coin));
    if (owned === undefined) return refused('unknownChannel');
    if (!isGenuine(owned.coin, step, this.#broker, owned.current)) return refused('badSignature');
    const at = owned.steps.findIndex(({ order }) => equalBytes(order.said.holder, step.order.said.holder));
    if (at >= 0) return this.#again(owned, at, step);
    const { current } = owned;
    if (owned.steps.length >= historyMax) return refused('frozen');
    if (step.binding.sequence > current.sequence) {
      // The broker has bound it since we last asked.
      this.#sync.again();
      return refused('busy');
    }
    if (step.binding.sequence < current.sequence || !equalBytes(step.binding.holder, current.holder))
      return refused('stale');
    const { next, nonce } = step.order.said;
    const bound = this.#purse.next(owned, next, nonce);
    return answered(bound, [
      this.#purse.ownedAs({ ...owned, current: bound, steps: [...owned.steps, step] }),
    ]);
  }

  onAnswer(answer: Answer): undefined {
    if (!this.#sync.onAnswer(answer)) this.#dealings.onAnswer(answer);
  }

  /** The holder's key has given an order before: the same answer for the same, the proof of it for another. */
  #again(owned: OwnedCoin, at: number, step: Step): Served {
    const known = owned.steps[at];
    if (isSameOrder(known.order, step.order))
      return answered(owned.steps[at + 1]?.binding ?? owned.current, []);
    this.#dealings.report(owned.coin, [known, step]);
    const reply = contradictedAnswer.encode({ op: answerOp.contradicted, step: known });
    return { kind: 'reply', reply, persist: [] };
  }

  #show(name: string): void {
    const owned = this.#purse.owned(name);
    if (owned !== undefined) this.#dealings.report(owned.coin, owned.steps);
  }

  /** What the broker did, if it is what follows; the holder's two orders, if we have carried out another. */
  #learn({ step, bound: [bound] }: News): void {
    const owned = this.#purse.owned(toHex(step.binding.coinKey));
    if (owned === undefined || !isGenuine(owned.coin, step, this.#broker, owned.current)) return;
    const known = owned.steps.find(({ order }) => equalBytes(order.said.holder, step.order.said.holder));
    if (known !== undefined) {
      if (!isSameOrder(known.order, step.order)) this.#dealings.report(owned.coin, [known, step]);
    } else if (bound !== undefined && this.#isNext(owned, step, bound)) {
      this.#purse.ownedAs({ ...owned, current: bound, steps: [...owned.steps, step] });
    }
  }

  /** Of more steps than it looks at the broker is told none: what goes on from there is for the broker alone. */
  #isNext(owned: OwnedCoin, step: Step, bound: Binding): boolean {
    return (
      step.binding.sequence >= owned.current.sequence &&
      owned.steps.length < historyMax &&
      follows(step, bound) &&
      isBound(owned.coin, bound, this.#broker)
    );
  }
}

function answered(bound: Binding, persist: Extract<Served, { kind: 'reply' }>['persist']): Served {
  return { kind: 'reply', reply: boundAnswer.encode({ op: answerOp.bound, binding: bound }), persist };
}
