import { toHex } from '../base/bytes.ts';
import { errandPauseMs } from '../base/limits.ts';
import { sizedBytes, struct, u8, u16 } from '../base/struct.ts';
import type { Answer, AskId, Endpoint, StoreWrite } from '../ports.ts';
import { endpointField } from './endpoint-field.ts';
import { RecordBook } from './record-book.ts';
import type { SchemeHost } from './scheme.ts';

const errandRecord = struct({
  to: endpointField,
  scheme: u8,
  request: sizedBytes(u16),
  memo: sizedBytes(u16),
});

/** A request that must be answered, whatever dies in between. */
export interface Errand {
  readonly to: Endpoint;
  readonly scheme: number;
  readonly request: Uint8Array;
  /** What whoever sent it must know when the answer comes, be it in another life. */
  readonly memo: Uint8Array;
}

/** What came of an errand: the answer, or why there is none (yet). */
export type ErrandNews = { readonly reply: Uint8Array } | { readonly fault: string };

/** Records to write together with the end of the errand; 'again': run it once more, after a pause. */
export type ErrandEnd = readonly StoreWrite[] | 'again';

/**
 * Requests to other parties that must not be lost: each is durable before it is sent, and sent again after a restart
 * until its answer was dealt with. The party must take a repeated request for the one it is.
 */
export class Errands {
  readonly #host: SchemeHost;
  readonly #book: RecordBook<Errand>;
  readonly #done: (errand: Errand, news: ErrandNews) => ErrandEnd;
  readonly #asked = new Map<AskId, string>();
  readonly #stored = new Map<AskId, string>();

  /**
   * @param prefix of the records' keys, such as `ppay/errand/`.
   * @param done told of every answer, and of every failure to get one.
   */
  constructor(host: SchemeHost, prefix: string, done: (errand: Errand, news: ErrandNews) => ErrandEnd) {
    this.#host = host;
    this.#book = new RecordBook(host.store, prefix, errandRecord);
    this.#done = done;
    const left = [...this.#book.entries()].map(([id]) => id);
    if (left.length > 0)
      host.clock.after(0, () => {
        for (const id of left) this.#ask(id);
      });
  }

  /** So many are under way. */
  get size(): number {
    return this.#book.size;
  }

  /** Errands under way, in the order in which they were begun. */
  get underWay(): readonly Errand[] {
    return [...this.#book.entries()].map(([, errand]) => errand);
  }

  /** @param also records that become durable together with the errand. */
  send(errand: Errand, also: readonly StoreWrite[] = []): void {
    const id = toHex(this.#host.entropy.bytes(8));
    const ask = this.#host.newAsk();
    this.#stored.set(ask, id);
    this.#host.store.commit([...also, this.#book.put(id, errand)], ask);
  }

  /** True when the answer was for an errand. */
  onAnswer(answer: Answer): boolean {
    const { ask } = answer;
    const stored = this.#stored.get(ask);
    if (stored !== undefined) {
      this.#stored.delete(ask);
      this.#ask(stored);
      return true;
    }
    const id = this.#asked.get(ask);
    if (answer.kind !== 'party' || id === undefined) return false;
    this.#asked.delete(ask);
    const errand = this.#book.get(id);
    if (errand !== undefined) this.#end(id, errand, newsOf(answer));
    return true;
  }

  #end(id: string, errand: Errand, news: ErrandNews): void {
    const end = this.#done(errand, news);
    if (end === 'again') {
      this.#host.clock.after(errandPauseMs, () => this.#ask(id));
      return;
    }
    // Its answer is nobody's: there is nothing left to do once the records are written.
    this.#host.store.commit([...end, this.#book.drop(id)], this.#host.newAsk());
  }

  #ask(id: string): void {
    const errand = this.#book.get(id);
    if (errand === undefined) return;
    const ask = this.#host.newAsk();
    this.#asked.set(ask, id);
    this.#host.parties.ask(errand.to, errand.scheme, errand.request, ask);
  }
}

function newsOf({ fault, reply }: Extract<Answer, { kind: 'party' }>): ErrandNews {
  if (fault !== undefined || reply === undefined) return { fault: fault ?? 'malformed' };
  return { reply };
}
