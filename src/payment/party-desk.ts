import { partyRequestsMax } from '../base/limits.ts';
import type { Answer, AskId, Endpoint, PartyPort, RequestHandler, RequestId } from '../ports.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { Party, PaymentScheme, PaymentStatusName, SchemeHost, Served } from './scheme.ts';

/**
 * Where other parties of payment systems ask this node. The same money order as for payments: the scheme judges, its
 * records become durable, the reply leaves.
 */
export class PartyDesk implements RequestHandler {
  readonly #parties: ReadonlyMap<number, Party>;
  readonly #port: Pick<PartyPort, 'answer'>;
  readonly #commits: CommitQueue;
  readonly #pending = new Map<AskId, RequestId>();

  /**
   * @param parties by the id of their scheme.
   * @param commits that of the node's other desks, so that writes to one record keep their order.
   */
  constructor(parties: ReadonlyMap<number, Party>, port: Pick<PartyPort, 'answer'>, commits: CommitQueue) {
    this.#parties = parties;
    this.#port = port;
    this.#commits = commits;
  }

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    const party = this.#parties.get(scheme);
    if (party === undefined) this.#refuse(request, 'unknownScheme');
    else if (this.#pending.size >= partyRequestsMax) this.#refuse(request, 'busy');
    else this.#settle(request, party.serve(bytes));
  }

  /** Tells whether `at` is a party of one of the schemes; it may have to be looked up. */
  knows(at: Endpoint, done: (known: boolean) => void): void {
    let left = 1;
    let over = false;
    const one = (known: boolean): void => {
      left -= 1;
      if (over || (!known && left > 0)) return;
      over = true;
      done(known);
    };
    for (const party of this.#parties.values()) {
      if (party.knows === undefined) continue;
      left += 1;
      party.knows(at, one);
    }
    one(false);
  }

  /** True when the answer was for this desk. */
  onAnswer(answer: Answer): boolean {
    for (const party of this.#parties.values()) {
      let outcome = party.onAnswer(answer);
      if (outcome === undefined) continue;
      // Several requests may have waited for the one answer.
      for (; outcome !== undefined; outcome = party.onAnswer(answer)) {
        const request = this.#pending.get(outcome.ask);
        this.#pending.delete(outcome.ask);
        if (request !== undefined) this.#settle(request, outcome.served);
      }
      return true;
    }
    return false;
  }

  #settle(request: RequestId, served: Served): void {
    if (served.kind === 'pending') {
      this.#pending.set(served.ask, request);
      return;
    }
    if (served.kind === 'refused') {
      this.#refuse(request, served.fault.code);
      return;
    }
    const { reply, persist } = served;
    this.#commits.commit(persist, () => this.#port.answer(request, { kind: 'reply', bytes: reply }));
  }

  #refuse(request: RequestId, code: PaymentStatusName): void {
    this.#port.answer(request, { kind: 'refused', code });
  }
}

/** The sides that others ask, of schemes that have one. */
export function partiesOf(schemes: readonly PaymentScheme[], host: SchemeHost): ReadonlyMap<number, Party> {
  const parties = new Map<number, Party>();
  for (const scheme of schemes) {
    const party = scheme.party?.(host);
    if (party !== undefined) parties.set(scheme.id, party);
  }
  return parties;
}
