import { equalBytes, utf8 } from '../../base/bytes.ts';
import { struct, u32, u64 } from '../../base/struct.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import { sha256 } from '../../crypto/sha.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import type { BrokeredOptions } from '../../payment/brokered.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type {
  Outcome,
  Paid,
  PayeeIdentity,
  Payer,
  PayFault,
  PaymentFault,
  SchemeHost,
  SessionId,
  Value,
} from '../../payment/scheme.ts';
import type { Answer, AskId, ChainEvent } from '../../ports.ts';
import { CreditLine } from './credit-line.ts';
import {
  brokerOperation,
  commitment,
  lockBody,
  openMessage,
  operation,
  payMessage,
  schemeId,
  targetBody,
  targetMessage,
  targetTag,
} from './messages.ts';
import {
  type Commitment,
  chainId,
  chunkMsat,
  countMax,
  creditChunkMsat,
  hashOf,
  holdSeconds,
  isBacked,
  jumpMax,
  marginSeconds,
  noBacking,
  secondsOf,
  unitMsat,
  worthMsat,
} from './terms.ts';

const sentRecord = struct({ index: u32, unitMsat: u64 });

/** A chain on its way to its payee, or there. */
interface Chain {
  readonly said: Commitment;
  readonly words: HashChain;
  readonly backing: Uint8Array;
  /** The last word that was sent; 0: the payee knows nothing of the chain. */
  sent: number;
}

interface Session {
  readonly payee: PayeeIdentity;
  readonly budget: Value;
  chain: Chain | undefined;
  /** A commitment that the broker is asked to stand behind, and the words that it is for. */
  asked: { readonly said: Commitment; readonly words: HashChain; readonly request: Uint8Array } | undefined;
  /** Waits for the broker, to pay this then. */
  waiting:
    | { readonly target: Uint8Array; readonly value: Value; readonly most: Value | undefined }
    | undefined;
}

/**
 * The payer's side: for each session a chain of its own, committed to its payee. Prepaid, the broker puts aside all that
 * the chain may come to; on credit, one certificate backs the chains of a day.
 */
export class PaywordPayer implements Payer {
  readonly #host: SchemeHost;
  readonly #account: SigningKey;
  readonly #broker: BrokeredOptions['broker'];
  readonly #credit: CreditLine | undefined;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #sent: RecordBook<{ readonly index: number; readonly unitMsat: Value }>;
  readonly #asks = new Map<AskId, SessionId>();

  constructor(host: SchemeHost, { account, broker, variant }: BrokeredOptions) {
    this.#host = host;
    this.#account = account;
    this.#broker = broker;
    this.#credit = variant === 'credit' ? new CreditLine(host, account, broker.key) : undefined;
    this.#sent = new RecordBook(host.store, 'payword/payer/sent/', sentRecord);
  }

  begin(session: SessionId, payee: PayeeIdentity, budget: Value): void {
    const nothing = { chain: undefined, asked: undefined, waiting: undefined };
    this.#sessions.set(session, { payee, budget, ...nothing });
  }

  pay(session: SessionId, target: Uint8Array, asked: Value, most?: Value): Paid {
    const state = this.#sessions.get(session);
    const offer = state === undefined ? undefined : this.#offerOf(target, state.payee);
    if (state === undefined || offer === undefined) return refused('PAY_BAD_TARGET');
    if (asked === 0n) return { kind: 'ready' };
    const value = this.#credit?.shareOf(asked) ?? asked;
    const { chain } = state;
    if (chain !== undefined && !this.#ends(chain.said)) {
      const words = wordsFor(value, chain.said.unitMsat, most);
      if (words === 0) return refused('PAY_LIMIT');
      if (words <= jumpMax && chain.sent + words <= chain.said.count) return this.#send(chain, words);
    }
    const unit = unitFor(value);
    const words = wordsFor(value, unit, most);
    if (words === 0) return refused('PAY_LIMIT');
    if (state.asked === undefined || !this.#fits(state.asked.said, words, unit))
      state.asked = this.#commit(state, offer, words, unit);
    if (this.#credit !== undefined) {
      const granted = this.#credit.certificateFor(worthMsat(state.asked.said));
      if (granted !== undefined) return this.#open(state, granted, words);
    }
    state.waiting = { target, value, most };
    return this.#ask(session, state.asked.request);
  }

  onAnswer(answer: Answer): Outcome<Paid> | undefined {
    const session = answer.kind === 'party' ? this.#asks.get(answer.ask) : undefined;
    if (answer.kind !== 'party' || session === undefined) return undefined;
    this.#asks.delete(answer.ask);
    const state = this.#sessions.get(session);
    if (state?.waiting === undefined) return undefined;
    return { session, result: this.#answered(session, state, answer) };
  }

  onChain(_event: ChainEvent): void {}

  /** A word that was shown is given away; what follows it is worth more. */
  onRefused(_session: SessionId, _fault: PaymentFault): void {}

  /** The payee hands its last word in by itself. */
  finish(_session: SessionId): undefined {}

  ended(session: SessionId): void {
    const chain = this.#sessions.get(session)?.chain;
    if (chain !== undefined) this.#credit?.release(chain.said, chain.sent);
    this.#sessions.delete(session);
  }

  /** The target, when its payee has signed it and keeps its money where ours is. */
  #offerOf(target: Uint8Array, { ed25519 }: PayeeIdentity) {
    const offer = targetMessage.decode(target);
    if (offer === undefined || offer.scheme !== schemeId) return undefined;
    if (!equalBytes(offer.broker, this.#broker.key)) return undefined;
    const signed = sha256(utf8(targetTag), targetBody.encode(offer));
    return ed25519Verify(ed25519, signed, offer.signature) ? offer : undefined;
  }

  #ends({ expiry }: Commitment): boolean {
    return secondsOf(this.#host.clock.wallMs()) > expiry - 2 * marginSeconds;
  }

  /** Whoever asked before, and got no answer, may need more now, or have got another certificate meanwhile. */
  #fits(said: Commitment, words: number, unit: Value): boolean {
    const isEnough = said.unitMsat === unit && worthMsat(said) >= unit * BigInt(words);
    return isEnough && equalBytes(said.backing, this.#backing);
  }

  /** What is committed to now stands on it: the hash of the certificate, if there is one. */
  get #backing(): Uint8Array {
    const certified = this.#credit?.backing;
    return certified === undefined ? noBacking : hashOf(certified);
  }

  #commit(
    { budget }: Session,
    offer: { readonly payee: Uint8Array; readonly name: Uint8Array },
    least: number,
    unit: Value,
  ): NonNullable<Session['asked']> {
    const { entropy, clock } = this.#host;
    const most = this.#credit === undefined ? chunkMsat : creditChunkMsat;
    const chunk = budget < most ? budget : most;
    const count = Math.min(Math.max(Number(chunk / unit), least), countMax);
    const words = new HashChain(offer.name, entropy.bytes(32), count);
    const expiry = secondsOf(clock.wallMs()) + holdSeconds;
    const said = commitment.sign(this.#account, {
      payer: this.#account.publicKey,
      payee: offer.payee,
      name: offer.name,
      root: words.root,
      unitMsat: unit,
      count,
      expiry: this.#credit === undefined ? expiry : (this.#credit.expiry ?? expiry),
      backing: this.#backing,
    });
    const request =
      this.#credit === undefined
        ? makeAccountRequest(
            this.#account,
            entropy,
            lockBody.encode({ operation: brokerOperation.lock, commitment: said }),
          )
        : this.#credit.request();
    return { said, words, request };
  }

  #ask(session: SessionId, request: Uint8Array): Paid {
    const ask = this.#host.newAsk();
    this.#asks.set(ask, session);
    this.#host.parties.ask(this.#broker.endpoint, schemeId, request, ask);
    return { kind: 'pending', ask };
  }

  #answered(session: SessionId, state: Session, { fault, reply }: Extract<Answer, { kind: 'party' }>): Paid {
    const { waiting, asked } = state;
    state.waiting = undefined;
    if (waiting === undefined || asked === undefined) return refused('PAY_PARTY_UNAVAILABLE');
    if (fault === 'overspent') return refused('PAY_NO_FUNDS', fault);
    if (fault !== undefined || reply === undefined) return refused('PAY_PARTY_UNAVAILABLE', fault);
    if (this.#credit !== undefined) {
      if (!this.#credit.take(reply)) return refused('PAY_PARTY_UNAVAILABLE', 'malformed');
      if (this.#credit.certificateFor(worthMsat(asked.said)) === undefined)
        return refused('PAY_NO_FUNDS', 'no more credit');
      // The commitment names the certificate, so it is made anew.
      state.asked = undefined;
      return this.pay(session, waiting.target, waiting.value, waiting.most);
    }
    if (!isBacked(asked.said, true, reply, this.#broker.key))
      return refused('PAY_PARTY_UNAVAILABLE', 'malformed');
    return this.#open(state, reply, wordsFor(waiting.value, asked.said.unitMsat, waiting.most));
  }

  /** The first payment with a chain, which the broker stands behind now. */
  #open(state: Session, backing: Uint8Array, words: number): Paid {
    const { asked } = state;
    if (asked === undefined) return refused('PAY_PARTY_UNAVAILABLE');
    state.asked = undefined;
    if (state.chain !== undefined) this.#credit?.release(state.chain.said, state.chain.sent);
    state.chain = { said: asked.said, words: asked.words, backing, sent: 0 };
    return this.#send(state.chain, words);
  }

  #send(chain: Chain, words: number): Paid {
    const { said, backing } = chain;
    const first = chain.sent === 0;
    chain.sent += words;
    const part = { scheme: schemeId, index: chain.sent, word: chain.words.word(chain.sent) };
    const payment = first
      ? openMessage.encode({
          ...part,
          operation: operation.open,
          prepaid: this.#credit === undefined ? 1 : 0,
          backing,
          commitment: said,
        })
      : payMessage.encode({ ...part, operation: operation.pay });
    const sent = this.#sent.put(chainId(said), { index: chain.sent, unitMsat: said.unitMsat });
    const credit = first ? (this.#credit?.commit(worthMsat(said)) ?? []) : [];
    return { kind: 'send', payment, value: said.unitMsat * BigInt(words), persist: [sent, ...credit] };
  }
}

/** Value of a word of a new chain: a satoshi, or so many that a payment like this one is no long walk for its payee. */
function unitFor(value: Value): Value {
  let unit = unitMsat;
  while (value > unit * BigInt(jumpMax / 2)) unit *= 2n;
  return unit;
}

/** Words that come to `value` or more, as far as whole ones stay within `most`. */
function wordsFor(value: Value, unit: Value, most?: Value): number {
  const words = (value + unit - 1n) / unit;
  return Number(most !== undefined && words * unit > most ? most / unit : words);
}

function refused(code: PayFault['code'], detail?: string): Paid {
  return { kind: 'refused', fault: detail === undefined ? { code } : { code, detail } };
}
