import { partyBatchMax } from '../base/limits.ts';
import { countedList, sizedBytes, struct, u8, u16 } from '../base/struct.ts';
import type { Answer, AskId } from '../ports.ts';
import { type Party, paymentStatus, refused, type Served } from './scheme.ts';

/** First byte of several requests in one, whatever the scheme: no scheme has so many operations. */
export const batchOp = 255;

export const batchRequest = struct({ op: u8, requests: countedList(u8, sizedBytes(u16)) });
/** For each request in turn: a paymentStatus, and the reply where that is `ok`. */
export const batchReply = struct({
  answers: countedList(u8, struct({ status: u8, reply: sizedBytes(u16) })),
});

/** A batch of which some answers have not come yet. */
interface Open {
  readonly ask: AskId;
  readonly answers: Served[];
  left: number;
}

/**
 * Takes several requests in one. Each is served as if it had come alone, in their order, and what they change is durable together:
 * one commit and one message where there would be many.
 */
export class BatchedParty implements Party {
  readonly knows: Party['knows'];
  readonly #party: Party;
  readonly #newAsk: () => AskId;
  /** Where the answer belongs that is pending under an id. */
  readonly #waiting = new Map<AskId, { readonly batch: Open; readonly at: number }>();

  constructor(party: Party, newAsk: () => AskId) {
    this.#party = party;
    this.#newAsk = newAsk;
    this.knows = party.knows?.bind(party);
  }

  serve(request: Uint8Array): Served {
    if (request[0] !== batchOp) return this.#party.serve(request);
    const requests = batchRequest.decode(request)?.requests ?? [];
    // A batch in a batch would be as many as anybody likes.
    const isNested = requests.some(each => each[0] === batchOp);
    if (requests.length === 0 || requests.length > partyBatchMax || isNested) return refused('malformed');
    const answers: Served[] = [];
    const serveAll = () => void answers.push(...requests.map(each => this.#party.serve(each)));
    if (this.#party.together === undefined) serveAll();
    else this.#party.together(serveAll);
    const batch = { ask: 0, answers, left: 0 };
    if (answers.every(({ kind }) => kind !== 'pending')) return together(answers);
    batch.ask = this.#newAsk();
    for (const [at, served] of answers.entries()) this.#await(batch, at, served);
    return { kind: 'pending', ask: batch.ask };
  }

  onAnswer(answer: Answer): ReturnType<Party['onAnswer']> {
    for (;;) {
      const outcome = this.#party.onAnswer(answer);
      const slot = outcome === undefined ? undefined : this.#waiting.get(outcome.ask);
      if (outcome === undefined || slot === undefined) return outcome;
      const { batch, at } = slot;
      this.#waiting.delete(outcome.ask);
      batch.answers[at] = outcome.served;
      batch.left -= 1;
      this.#await(batch, at, outcome.served);
      if (batch.left === 0) return { ask: batch.ask, served: together(batch.answers) };
    }
  }

  #await(batch: Open, at: number, served: Served): void {
    if (served.kind !== 'pending') return;
    batch.left += 1;
    this.#waiting.set(served.ask, { batch, at });
  }
}

function together(answers: readonly Served[]): Served {
  const told = answers.map(served =>
    served.kind === 'reply'
      ? { status: paymentStatus.ok, reply: served.reply }
      : {
          status: served.kind === 'refused' ? paymentStatus[served.fault.code] : paymentStatus.busy,
          reply: new Uint8Array(0),
        },
  );
  const persist = answers.flatMap(served => (served.kind === 'reply' ? served.persist : []));
  return { kind: 'reply', reply: batchReply.encode({ answers: told }), persist };
}
