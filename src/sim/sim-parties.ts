import { assert } from '../base/assert.ts';
import { utf8 } from '../base/bytes.ts';
import { partyAnswerMsMax } from '../base/limits.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
  Endpoint,
  PartyPort,
  PartyReply,
  RequestHandler,
  RequestId,
} from '../ports.ts';
import type { SimNode } from './sim-node.ts';

/** What is wrong with a party: nobody is there, its answers come too late, or they are changed on the way or made up. */
export type PartyTrouble = 'absent' | 'late' | 'lying';

/** A request and its reply as both passed, for those who ask what a party has learned. */
export interface PartyExchange {
  readonly from: string;
  readonly to: string;
  readonly scheme: number;
  readonly request: Uint8Array;
  /** Absent: refused. */
  readonly reply?: Uint8Array;
}

const latencyUs = 10_000;

/** Where the parties of a simulated world find each other. */
export class SimParties {
  readonly #ports = new Map<string, SimPartyPort>();
  /** Asked of each request, at its arrival. */
  trouble: (to: Endpoint) => PartyTrouble | undefined = () => undefined;
  /** Told of each exchange; changes nothing. */
  tap: ((exchange: PartyExchange) => void) | undefined;

  find(at: Endpoint): SimPartyPort | undefined {
    return this.#ports.get(nameOf(at));
  }

  listen(at: Endpoint, port: SimPartyPort): void {
    this.#ports.set(nameOf(at), port);
  }

  leave(port: SimPartyPort): void {
    for (const [name, each] of this.#ports) if (each === port) this.#ports.delete(name);
  }
}

/** One node's way to other parties, and theirs to it. */
export class SimPartyPort implements PartyPort {
  readonly node: SimNode;
  readonly #parties: SimParties;
  readonly #waiting = new Map<RequestId, (reply: PartyReply) => void>();
  #handler: (AnswerHandler & Partial<RequestHandler>) | undefined;
  #lastRequest = 0;

  constructor(node: SimNode, parties: SimParties) {
    this.node = node;
    this.#parties = parties;
  }

  /** From now on this node is asked at `at`. */
  listen(at: Endpoint): void {
    this.#parties.listen(at, this);
  }

  attach(handler: AnswerHandler & Partial<RequestHandler>): void {
    this.#handler = handler;
  }

  ask(to: Endpoint, scheme: number, request: Uint8Array, ask: AskId): void {
    this.node.called('party ask', ask, scheme, request);
    let open = true;
    const { life } = this.node;
    const answer = (given: { readonly fault: string } | { readonly reply: Uint8Array }): void => {
      // Whoever has died since hears nothing, and whoever lives now has not asked.
      if (!open || this.node.life !== life) return;
      open = false;
      giveUp();
      this.node.later(latencyUs, () => this.#hear({ kind: 'party', ask, ...given }));
    };
    const giveUp = this.node.later(partyAnswerMsMax * 1_000, () => answer({ fault: 'late' }));
    const there = this.#parties.find(to);
    const trouble = this.#parties.trouble(to);
    if (there === undefined || trouble === 'absent') {
      answer({ fault: 'unreachable' });
      return;
    }
    const asked = { from: this.node.name, to: there.node.name, scheme, request: request.slice() };
    there.serve(scheme, asked.request, reply => {
      this.#parties.tap?.(reply.kind === 'reply' ? { ...asked, reply: reply.bytes } : asked);
      if (trouble === 'late') return;
      if (trouble === 'lying') answer({ reply: this.#lie(reply) });
      else answer(reply.kind === 'reply' ? { reply: reply.bytes } : { fault: reply.code });
    });
  }

  /** A request arrives. */
  serve(scheme: number, bytes: Uint8Array, answered: (reply: PartyReply) => void): void {
    this.#lastRequest += 1;
    const request = this.#lastRequest;
    this.node.later(latencyUs, () => {
      this.#waiting.set(request, answered);
      this.node.told('party request', request, scheme, bytes);
      this.#handler?.onRequest?.(request, scheme, bytes.slice());
    });
  }

  answer(request: RequestId, reply: PartyReply): void {
    const bytes = reply.kind === 'reply' ? reply.bytes : utf8(reply.code);
    this.node.called('party answer', request, 0, bytes);
    const answered = this.#waiting.get(request);
    this.#waiting.delete(request);
    answered?.(reply.kind === 'reply' ? { kind: 'reply', bytes: reply.bytes.slice() } : reply);
  }

  /** The process died. */
  forget(): void {
    this.#waiting.clear();
    this.#parties.leave(this);
  }

  #hear(answer: Answer): void {
    this.node.told('party answer', answer.ask);
    assert(this.#handler !== undefined, `${this.node.name} has attached an answer handler`);
    this.#handler.onAnswer(answer);
  }

  /** Now one bit is wrong, now the end is missing, now it is noise of the right length, now nothing. */
  #lie(reply: PartyReply): Uint8Array {
    const { entropy } = this.node.world;
    const bytes = reply.kind === 'reply' ? reply.bytes.slice() : new Uint8Array(0);
    if (bytes.length === 0) return entropy.bytes(entropy.below(200));
    const way = entropy.below(4);
    if (way === 0) bytes[entropy.below(bytes.length)] ^= 1 << entropy.below(8);
    if (way === 1) return bytes.subarray(0, entropy.below(bytes.length));
    if (way === 2) return entropy.bytes(bytes.length);
    return way === 3 ? new Uint8Array(0) : bytes;
  }
}

function nameOf({ host, port }: Endpoint): string {
  return `${host}:${port}`;
}
