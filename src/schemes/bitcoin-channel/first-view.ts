import { firstViewMsMax } from '../../base/limits.ts';
import type { Asks } from '../../payment/asks.ts';
import type { SessionId } from '../../payment/scheme.ts';
import type { AskId, ChainPort, Clock } from '../../ports.ts';

/**
 * What is asked of a node that has just started and does not know its coins yet waits until it has seen the chain, for a
 * while. Outcomes come with answers of the chain alone: a question to it carries what has waited on.
 */
export class FirstView {
  readonly #chain: Pick<ChainPort, 'feerate'>;
  #waiting: AskId[] = [];
  #over = false;

  constructor(chain: Pick<ChainPort, 'feerate'>, clock: Pick<Clock, 'after'>) {
    this.#chain = chain;
    clock.after(firstViewMsMax, () => this.end());
  }

  /** What the session's wait comes to is asked of `then` once it is over; undefined: the session is. */
  hold<T>(asks: Asks<T>, session: SessionId, then: () => T | undefined): AskId {
    const ask = asks.open(() => {
      const result = then();
      return result && { session, result };
    });
    if (this.#over) this.#chain.feerate(ask);
    else this.#waiting.push(ask);
    return ask;
  }

  /** The first block was told, or none comes. */
  end(): void {
    this.#over = true;
    for (const ask of this.#waiting.splice(0)) this.#chain.feerate(ask);
  }
}
