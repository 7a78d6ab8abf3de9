import { toHex } from '../src/base/bytes.ts';
import type { Result } from '../src/base/fault.ts';
import {
  askCircuitsMax,
  askRetryMs,
  circuitAskBytesMax,
  circuitAskMsMax,
  circuitAskTriesMax,
  circuitAskTryMsMax,
  partyAsksMax,
} from '../src/base/limits.ts';
import { isPublicKey } from '../src/crypto/ecdsa.ts';
import { formatEndpoint } from '../src/directory/endpoint-text.ts';
import { encodeRequest, type HttpResponse } from '../src/directory/http-codec.ts';
import { askPath, type SealedAsk, sealAsk } from '../src/payment/sealed-asks.ts';
import type { Answer, AskId, Cancel, Clock, Entropy, PartyAddress, PartyPort } from '../src/ports.ts';
import { AskCircuit, cellsToAsk, freeAskCells } from './ask-circuit.ts';
import type { PlannedHop } from './circuit-want.ts';
import type { BrokerContact } from './client-settings.ts';
import type { ManagedCircuit } from './managed-circuit.ts';

export interface CircuitPartiesHost {
  /** Any three hops. */
  choosePath(): Result<readonly PlannedHop[]>;
  open(path: readonly PlannedHop[]): Result<ManagedCircuit>;
  onAnswer(answer: Answer): void;
}

/** A box is so much longer than what is in it. */
const sealedBytesMore = 64;
/** Paths looked at for one whose last hop will do. */
const pathsMax = 12;

/** A question on its way. */
interface Question {
  readonly ask: AskId;
  readonly scheme: number;
  readonly party: string;
  readonly sealed: SealedAsk;
  readonly bytes: Uint8Array;
  /** Relays that did not pass it on as they should: RSA identities in hex. */
  readonly notBy: Set<string>;
  tries: number;
  /** Circuits that were destroyed under it: for want of cells, it may be. */
  destroyed: number;
  timer: Cancel;
}

/**
 * Asks other parties of payments through circuits, so that they do not see from where: a relay that is paid by the same
 * scheme passes the question on (`relay/ask-forwarder`), sealed, so that it can do no more than drop it. Free cells carry it,
 * since whoever cannot ask cannot pay; each circuit is for one party alone, and gives way to the next when its free
 * cells are used up. What is too large for them goes over a circuit that is paid for. Nothing is ever asked
 * directly: a question that comes through on no circuit ends 'unreachable' or 'late'.
 */
export class CircuitParties implements Pick<PartyPort, 'ask'> {
  readonly #broker: BrokerContact;
  readonly #host: CircuitPartiesHost;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #questions = new Set<Question>();
  readonly #circuits = new Map<ManagedCircuit, AskCircuit>();

  constructor(
    broker: BrokerContact,
    host: CircuitPartiesHost,
    ports: { readonly clock: Clock; readonly entropy: Entropy },
  ) {
    this.#broker = broker;
    this.#host = host;
    this.#clock = ports.clock;
    this.#entropy = ports.entropy;
  }

  ask(to: PartyAddress, scheme: number, request: Uint8Array, ask: AskId): void {
    const party = formatEndpoint(to);
    const { address, key: brokerKey } = this.#broker;
    const key = to.key ?? (party === formatEndpoint(address) ? brokerKey : undefined);
    const tooLong = request.length > circuitAskBytesMax - sealedBytesMore;
    if (key === undefined || !isPublicKey(key) || tooLong || this.#questions.size >= partyAsksMax) {
      this.#clock.after(0, () => this.#host.onAnswer({ kind: 'party', ask, fault: 'unreachable' }));
      return;
    }
    const sealed = sealAsk(key, scheme, request, this.#entropy);
    const question: Question = {
      ask,
      scheme,
      party,
      sealed,
      bytes: encodeRequest('POST', `${askPath}${party}`, 'relay', { body: sealed.box }),
      notBy: new Set(),
      tries: 0,
      destroyed: 0,
      timer: this.#clock.after(circuitAskMsMax, () => this.#finish(question, { fault: 'late' })),
    };
    this.#questions.add(question);
    this.#clock.after(0, () => this.#send(question));
  }

  /** A circuit of ours is built. */
  onCircuitOpen(circuit: ManagedCircuit): void {
    this.#circuits.get(circuit)?.onOpen();
  }

  onCircuitPaid(circuit: ManagedCircuit): void {
    this.#circuits.get(circuit)?.onReady();
  }

  onCircuitEnded(circuit: ManagedCircuit): void {
    const ended = this.#circuits.get(circuit);
    this.#circuits.delete(circuit);
    ended?.onEnded();
  }

  #send(question: Question): void {
    if (!this.#questions.has(question)) return;
    if (question.tries >= circuitAskTriesMax) {
      this.#finish(question, { fault: 'unreachable' });
      return;
    }
    const circuit = this.#circuitFor(question);
    if (circuit === 'stopping') this.#finish(question, { fault: 'unreachable' });
    else if (circuit === undefined) this.#clock.after(askRetryMs, () => this.#send(question));
    else {
      question.tries += 1;
      circuit.carry(question.bytes, circuitAskTryMsMax, response =>
        this.#onResponse(question, circuit, response),
      );
    }
  }

  /** One that others use too; when that was destroyed one of its own, and when that was too one that is paid for. */
  #circuitFor(question: Question): AskCircuit | 'stopping' | undefined {
    const { party, bytes, destroyed, notBy } = question;
    const cells = cellsToAsk(bytes.length);
    const paid = destroyed >= 2 || cells > freeAskCells;
    if (destroyed !== 1 || paid) {
      for (const each of this.#circuits.values()) {
        if (each.party !== party || each.paid !== paid || !each.takes(cells)) continue;
        if (!notBy.has(lastOf(each.circuit.path))) return each;
      }
    }
    return this.#launch(question, paid);
  }

  #launch(question: Question, paid: boolean): AskCircuit | 'stopping' | undefined {
    if (!this.#makeRoom(paid)) return undefined;
    const path = this.#pathFor(question);
    const opened = path && this.#host.open(path);
    if (opened === undefined || !opened.ok)
      return opened?.fault.code === 'CLIENT_STOPPING' ? 'stopping' : undefined;
    const made = new AskCircuit(opened.value, question.party, paid, this.#clock);
    this.#circuits.set(opened.value, made);
    return made;
  }

  /** A paid one at a time: its own payment may ask, and must not wait for itself without end. */
  #makeRoom(paid: boolean): boolean {
    const all = [...this.#circuits.values()];
    if (paid && all.some(each => each.paid)) return false;
    if (all.length < askCircuitsMax) return true;
    const idle = all.find(each => each.idle);
    idle?.giveUp();
    return idle !== undefined;
  }

  #pathFor({ scheme, notBy }: Question): readonly PlannedHop[] | undefined {
    for (let tries = 0; tries < pathsMax; tries++) {
      const path = this.#host.choosePath();
      if (!path.ok) continue;
      const { relay } = path.value[path.value.length - 1];
      if (relay?.paySchemes.includes(scheme) && !notBy.has(lastOf(path.value))) return path.value;
    }
    return undefined;
  }

  #onResponse(question: Question, circuit: AskCircuit, response: HttpResponse | undefined): void {
    const reply = response?.status === 200 ? question.sealed.openReply(response.body) : undefined;
    if (reply !== undefined) {
      this.#finish(question, reply.kind === 'reply' ? { reply: reply.bytes } : { fault: reply.code });
      return;
    }
    if (response?.status === 504) {
      this.#finish(question, { fault: 'unreachable' });
      return;
    }
    circuit.giveUp();
    const { circuit: used } = circuit;
    const built = used.hopsBuilt === used.path.length;
    this.#clock.after(0, () => {
      if (used.destroyReason !== undefined) question.destroyed += 1;
      // A relay that says nothing, or answers in the party's place, is not asked again.
      else if (built) question.notBy.add(lastOf(used.path));
      this.#send(question);
    });
  }

  #finish(question: Question, given: { readonly fault: string } | { readonly reply: Uint8Array }): void {
    if (!this.#questions.delete(question)) return;
    question.timer();
    this.#host.onAnswer({ kind: 'party', ask: question.ask, ...given });
  }
}

function lastOf(path: readonly PlannedHop[]): string {
  return toHex(path[path.length - 1].rsaId);
}
