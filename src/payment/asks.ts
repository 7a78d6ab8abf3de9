import type { Answer, AskId } from '../ports.ts';
import type { Outcome } from './scheme.ts';

/** Questions on their way to store and chain, each with what is to be done with its answer. */
export class Asks<T> {
  readonly #newAsk: () => AskId;
  #waiting = new Map<AskId, (answer: Answer) => Outcome<T> | undefined>();

  constructor(newAsk: () => AskId) {
    this.#newAsk = newAsk;
  }

  /** The id to ask with; `then` may end a session's wait. */
  open(then: (answer: Answer) => Outcome<T> | undefined): AskId {
    const ask = this.#newAsk();
    this.#waiting.set(ask, then);
    return ask;
  }

  has(ask: AskId): boolean {
    return this.#waiting.has(ask);
  }

  onAnswer(answer: Answer): Outcome<T> | undefined {
    const then = this.#waiting.get(answer.ask);
    this.#waiting.delete(answer.ask);
    return then?.(answer);
  }
}
