import { makeAccountRequest } from '../../payment/account-request.ts';
import { type ErrandEnd, type ErrandNews, Errands } from '../../payment/errands.ts';
import type { Party, PaymentStatusName, Served } from '../../payment/scheme.ts';
import type { Answer, AskId } from '../../ports.ts';
import { AssistantDesk } from './assistant.ts';
import { CPayDealings } from './dealings.ts';
import { accountMessage, accountOp, assistBody, assistReply, requestOp, schemeId } from './messages.ts';
import type { CPayPurse } from './purse.ts';
import { epochOf, holdingOf } from './ring.ts';
import type { CPaySetup } from './setup.ts';

/** How often an assistant at rest asks whether it must show the grounds of something. */
const askEveryMs = 6 * 3_600_000;

/** A node that takes payments offers the broker to assist, anew in each epoch in which it does, and then assists. */
export class CPayAssisting implements Party {
  readonly #setup: CPaySetup;
  readonly #dealings: CPayDealings;
  readonly #desk: AssistantDesk;
  readonly #errands: Errands;
  readonly #outcomes = new Map<AskId, Served>();
  #offeredIn = -1;

  constructor(setup: CPaySetup, purse: CPayPurse) {
    const { host, account, broker } = setup;
    this.#setup = setup;
    this.#dealings = new CPayDealings(setup, purse, 'assistant');
    this.#errands = new Errands(host, 'cpay/errand/assist/', (_errand, news) => this.#onOffered(news));
    this.#desk = new AssistantDesk({
      store: host.store,
      clock: host.clock,
      key: account,
      broker,
      rings: this.#dealings.rings,
      ask: (to, request, done) => this.#dealings.ask(to, request, done),
    });
    host.clock.after(0, () => this.#offerForEver());
  }

  serve(request: Uint8Array): Served {
    this.#offer();
    if (request[0] !== requestOp.authorise && request[0] !== requestOp.release) return refused('malformed');
    let ask: AskId | undefined;
    let served: Served | undefined;
    const done = (outcome: Served): void => {
      served = outcome;
      if (ask !== undefined) this.#outcomes.set(ask, outcome);
    };
    if (request[0] === requestOp.authorise) this.#desk.authorise(request, done);
    else this.#desk.release(request, done);
    if (served !== undefined) return served;
    ask = this.#setup.host.newAsk();
    return { kind: 'pending', ask };
  }

  onAnswer(answer: Answer): { readonly ask: AskId; readonly served: Served } | undefined {
    if (!this.#errands.onAnswer(answer)) this.#dealings.onAnswer(answer);
    const [first] = this.#outcomes;
    if (first === undefined) return undefined;
    this.#outcomes.delete(first[0]);
    return { ask: first[0], served: first[1] };
  }

  #offerForEver(): void {
    this.#offer();
    this.#setup.host.clock.after(askEveryMs, () => this.#offerForEver());
  }

  #offer(): void {
    const { host, account, broker, self } = this.#setup;
    const [at, epoch] = [self(), epochOf(host.clock.wallMs())];
    if (at === undefined || this.#offeredIn === epoch || this.#errands.size > 0) return;
    this.#offeredIn = epoch;
    const envelope = makeAccountRequest(
      account,
      host.entropy,
      assistBody.encode({ op: accountOp.assist, at }),
    );
    const request = accountMessage.encode({ op: requestOp.account, envelope });
    this.#errands.send({ to: broker.endpoint, scheme: schemeId, request, memo: new Uint8Array(0) });
  }

  /** The broker may have asked on what we authorised a payment. */
  #onOffered(news: ErrandNews): ErrandEnd {
    const reply = 'fault' in news ? undefined : assistReply.decode(news.reply);
    if (reply === undefined) return 'again';
    for (const auth of reply.wanted) {
      const grant = this.#desk.granted(holdingOf(auth));
      if (grant !== undefined) this.#dealings.show(grant);
    }
    return [];
  }
}

function refused(code: PaymentStatusName): Served {
  return { kind: 'refused', fault: { code } };
}
