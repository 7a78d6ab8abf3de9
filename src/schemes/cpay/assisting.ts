import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { StandingQuestion } from '../../payment/coins/standing-question.ts';
import { type Party, refused, type Served } from '../../payment/scheme.ts';
import type { Answer, AskId, Endpoint, StoreWrite } from '../../ports.ts';
import { AssistantDesk } from './assistant.ts';
import { CPayDealings } from './dealings.ts';
import {
  accountOp,
  assistBody,
  assistReply,
  offerEveryMs,
  requestOp,
  schemeName,
  words,
} from './messages.ts';
import type { CPayPurse } from './purse.ts';
import { epochOf, holdingOf } from './ring.ts';

/** A node that takes payments offers the broker to assist, again and again for as long as it does. */
export class CPayAssisting implements Party {
  readonly #host: CoinSetup['host'];
  readonly #dealings: CPayDealings;
  readonly #purse: CPayPurse;
  readonly #desk: AssistantDesk;
  readonly #offer: StandingQuestion;
  readonly #outcomes = new Map<AskId, Served>();

  constructor(setup: CoinSetup, purse: CPayPurse) {
    const { host, account, broker, self } = setup;
    this.#host = host;
    this.#purse = purse;
    this.#dealings = new CPayDealings(setup, purse, 'assistant');
    this.#desk = new AssistantDesk({
      store: host.store,
      clock: host.clock,
      key: account,
      broker,
      rings: this.#dealings.rings,
      ask: (to, request, done) => this.#dealings.ask(to, request, done),
    });
    this.#offer = new StandingQuestion({
      setup,
      words,
      prefix: `${schemeName}/errand/assist/`,
      everyMs: offerEveryMs,
      body() {
        const at = self();
        return at === undefined ? undefined : assistBody.encode({ op: accountOp.assist, at });
      },
      told: reply => this.#onOffered(reply),
    });
  }

  serve(request: Uint8Array): Served {
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
    ask = this.#host.newAsk();
    return { kind: 'pending', ask };
  }

  together(run: () => void): void {
    this.#dealings.together(run);
  }

  /** An assistant of the ring; one that it has joined since is in the list of the newest epoch. */
  knows(at: Endpoint, done: (known: boolean) => void): void {
    const epoch = epochOf(this.#host.clock.wallMs());
    this.#dealings.rings.fetch([epoch], () => done(this.#purse.rings.hasAssistantAt(at)));
  }

  onAnswer(answer: Answer): { readonly ask: AskId; readonly served: Served } | undefined {
    if (!this.#offer.onAnswer(answer)) this.#dealings.onAnswer(answer);
    const [first] = this.#outcomes;
    if (first === undefined) return undefined;
    this.#outcomes.delete(first[0]);
    return { ask: first[0], served: first[1] };
  }

  /** The broker may ask on what we authorised a payment, or how we got a coin that we handed in. */
  #onOffered(reply: Uint8Array): readonly StoreWrite[] | undefined {
    const told = assistReply.decode(reply);
    for (const auth of told?.wanted ?? []) {
      const grant = this.#desk.granted(holdingOf(auth));
      if (grant !== undefined) this.#dealings.show(grant);
      const handedIn = this.#purse.wishedAs(holdingOf(auth));
      if (handedIn !== undefined && this.#purse.isDeposit(handedIn)) this.#dealings.showHandedIn(handedIn);
    }
    return told === undefined ? undefined : [];
  }
}
