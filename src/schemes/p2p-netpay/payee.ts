import { equalBytes, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/sha.ts';
import type { BrokeredOptions } from '../../payment/brokered.ts';
import { leadsTo } from '../../payment/hash-chain.ts';
import {
  type Outcome,
  type Payee,
  type PayeeSigner,
  type PaymentStatusName,
  type Redeemed,
  refused,
  type SchemeHost,
  type SessionId,
} from '../../payment/scheme.ts';
import type { Answer, AskId, ChainEvent } from '../../ports.ts';
import {
  handOverReply,
  handOverRequest,
  type Index,
  operation,
  payMessage,
  schemeId,
  targetBody,
  targetMessage,
  targetTag,
  visitMessage,
} from './messages.ts';
import { isGenuine, isVisit, lastSecond, leadsHere, secondsOf, stepId } from './terms.ts';
import type { Advanced, VendorBooks } from './vendor-books.ts';

type VisitMessage = NonNullable<ReturnType<typeof visitMessage.decode>>;

interface Stop {
  readonly id: string;
  readonly chain: Uint8Array;
}

interface Seat {
  readonly nonce: Uint8Array;
  /** The chain that is spent in this session. */
  at: Stop | undefined;
}

const noChain = new Uint8Array(16);

/**
 * The vendor's side: a chain that was spent elsewhere before is taken only with the Index of the vendor that it comes
 * from, and from there on; that vendor is asked while the payer waits.
 */
export class NetpayPayee implements Payee {
  readonly #host: SchemeHost;
  readonly #signer: PayeeSigner;
  readonly #options: BrokeredOptions;
  readonly #books: VendorBooks;
  readonly #seats = new Map<SessionId, Seat>();
  readonly #asked = new Map<AskId, { readonly session: SessionId; readonly message: VisitMessage }>();

  constructor(host: SchemeHost, signer: PayeeSigner, options: BrokeredOptions, books: VendorBooks) {
    this.#host = host;
    this.#signer = signer;
    this.#options = options;
    this.#books = books;
  }

  target(session: SessionId): Uint8Array {
    const { nonce, at } = this.#seat(session);
    const { account, self, broker } = this.#options;
    const body = {
      scheme: schemeId,
      vendor: account.publicKey,
      at: self,
      broker: broker.key,
      nonce,
      chain: at?.chain ?? noChain,
      index: at === undefined ? 0 : (this.#books.indexOf(at.id) ?? 0),
    };
    const signature = this.#signer.sign(sha256(utf8(targetTag), targetBody.encode(body)));
    return targetMessage.encode({ ...body, signature });
  }

  redeem(session: SessionId, payment: Uint8Array): Redeemed {
    if (payment[0] !== schemeId) return refused('malformed');
    if (payment[1] === operation.visit) return this.#visit(session, payment);
    if (payment[1] !== operation.pay) return refused('malformed');
    const message = payMessage.decode(payment);
    if (message === undefined) return refused('malformed');
    const { at } = this.#seat(session);
    if (at === undefined) return refused('unknownChannel');
    return this.#taken(session, at, this.#books.advance(at.id, message));
  }

  onAnswer(answer: Answer): Outcome<Redeemed> | undefined {
    if (this.#books.errands.onAnswer(answer) || answer.kind !== 'party') return undefined;
    const asked = this.#asked.get(answer.ask);
    if (asked === undefined) return undefined;
    this.#asked.delete(answer.ask);
    const { session, message } = asked;
    if (!this.#seats.has(session)) return undefined;
    return { session, result: this.#onIndex(session, message, answer.reply) };
  }

  onChain(_event: ChainEvent): void {}

  /** What was spent here is redeemed, whether or not the chain goes on to somebody else. */
  ended(session: SessionId): void {
    const at = this.#seats.get(session)?.at;
    this.#seats.delete(session);
    if (at !== undefined) this.#books.redeem(at.id);
  }

  #seat(session: SessionId): Seat {
    let seat = this.#seats.get(session);
    if (seat === undefined) {
      seat = { nonce: this.#host.entropy.bytes(16), at: undefined };
      this.#seats.set(session, seat);
    }
    return seat;
  }

  #visit(session: SessionId, payment: Uint8Array): Redeemed {
    const message = visitMessage.decode(payment);
    if (message === undefined) return refused('malformed');
    const fault = this.#judge(session, message);
    if (fault !== undefined) return refused(fault);
    const { visit: here } = message;
    const id = stepId(here.chain, here.step);
    if (this.#books.wasHanded(id)) return refused('unknownChannel');
    if (this.#books.has(id) || here.step === 0) return this.#settleIn(session, message);
    const ask = this.#host.newAsk();
    this.#asked.set(ask, { session, message });
    const request = handOverRequest.encode(handOverRequest.sign(this.#options.account, { visit: here }));
    this.#host.parties.ask(message.previous, schemeId, request, ask);
    return { kind: 'pending', ask };
  }

  #judge(
    session: SessionId,
    { touchstone: stone, visit: here, index }: VisitMessage,
  ): PaymentStatusName | undefined {
    if (!equalBytes(here.vendor, this.#options.account.publicKey)) return 'badTerms';
    if (!equalBytes(here.nonce, this.#seat(session).nonce)) return 'targetOld';
    if (!isGenuine(stone, this.#options.broker.key) || !isVisit(here, stone)) return 'badSignature';
    if (secondsOf(this.#host.clock.wallMs()) > lastSecond(stone)) return 'expired';
    return index > stone.count ? 'overspent' : undefined;
  }

  #onIndex(session: SessionId, message: VisitMessage, reply: Uint8Array | undefined): Redeemed {
    const given = reply === undefined ? undefined : handOverReply.decode(reply);
    const { touchstone: stone, visit: here } = message;
    const id = stepId(here.chain, here.step);
    // Another session asked too and was answered before: the stay that began then goes on, with all that was paid in it.
    if (this.#books.wasHanded(id)) return refused('unknownChannel');
    if (this.#books.has(id)) return this.#settleIn(session, message);
    if (given === undefined || !leadsHere(given.index, here)) return refused('partyUnavailable');
    const { index, word } = given.index;
    if (index > stone.count || !leadsTo(stone.chain, stone.root, word, index))
      return refused('partyUnavailable');
    return this.#settleIn(session, message, given.index);
  }

  /** The chain is the session's from now on, and pays if the message has a word; where that is refused, all stays as it was. */
  #settleIn(session: SessionId, message: VisitMessage, from?: Index): Redeemed {
    const { touchstone: stone, visit: here } = message;
    const at = { id: stepId(here.chain, here.step), chain: here.chain };
    if (!this.#books.has(at.id))
      return this.#taken(session, at, this.#books.enter(stone, here, from, message));
    const nothing = { value: 0n, persist: [] };
    return this.#taken(session, at, message.index === 0 ? nothing : this.#books.advance(at.id, message));
  }

  #taken(session: SessionId, at: Stop, advanced: Advanced): Redeemed {
    if ('fault' in advanced) return refused(advanced.fault);
    const seat = this.#seat(session);
    // The one before is spent, or too small for what is to come: what it paid is redeemed now, since nothing else ends its stay.
    if (seat.at !== undefined && seat.at.id !== at.id) this.#books.redeem(seat.at.id);
    seat.at = at;
    const { value, persist } = advanced;
    return { kind: 'added', value, persist, reply: this.target(session) };
  }
}
