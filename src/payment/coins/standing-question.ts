import type { Answer, StoreWrite } from '../../ports.ts';
import { Errands } from '../errands.ts';
import { askedByAccount, type CoinWords } from './coin-messages.ts';
import type { CoinSetup } from './coin-setup.ts';

export interface StandingQuestionOptions {
  readonly setup: CoinSetup;
  readonly words: CoinWords;
  /** Of the records' keys. */
  readonly prefix: string;
  readonly everyMs: number;
  /** What to ask now; undefined: nothing. */
  body(): Uint8Array | undefined;
  /** Gives the records of what was told; undefined for what answers no such question. */
  told(reply: Uint8Array): readonly StoreWrite[] | undefined;
}

/** What a party asks the broker when it begins, and again and again after that: until it is answered, and one at a time. */
export class StandingQuestion {
  readonly #options: StandingQuestionOptions;
  readonly #errands: Errands;

  constructor(options: StandingQuestionOptions) {
    const { setup, prefix } = options;
    this.#options = options;
    this.#errands = new Errands(setup.host, prefix, (_errand, news) =>
      'fault' in news ? 'again' : (options.told(news.reply) ?? 'again'),
    );
    setup.host.clock.after(0, () => this.#askForEver());
  }

  /** True when the answer was to this question. */
  onAnswer(answer: Answer): boolean {
    return this.#errands.onAnswer(answer);
  }

  ask(): void {
    const { setup, words, body } = this.#options;
    const asked = this.#errands.size > 0 ? undefined : body();
    if (asked === undefined) return;
    const request = askedByAccount(setup, words, asked);
    const { endpoint } = setup.broker;
    this.#errands.send({ to: endpoint, scheme: words.id, request, memo: new Uint8Array(0) });
  }

  #askForEver(): void {
    const { everyMs, setup } = this.#options;
    this.ask();
    setup.host.clock.after(everyMs, () => this.#askForEver());
  }
}
