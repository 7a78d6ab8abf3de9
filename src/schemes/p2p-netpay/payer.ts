import { equalBytes, utf8 } from '../../base/bytes.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import { sha256 } from '../../crypto/sha.ts';
import type { BrokeredOptions } from '../../payment/brokered.ts';
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
import type { Answer, ChainEvent } from '../../ports.ts';
import {
  operation,
  payMessage,
  schemeId,
  targetBody,
  targetMessage,
  targetTag,
  visit,
  visitMessage,
} from './messages.ts';
import { chunkWords, countMax, jumpMax, unitMsat } from './terms.ts';
import { NetpayWallet, type OwnChain } from './wallet.ts';

type Target = NonNullable<ReturnType<typeof targetMessage.decode>>;

/** `new`: nobody has seen the chain; `moved`: the vendor is asked to take it; `here`: the vendor has it. */
interface Spending {
  readonly id: string;
  state: 'new' | 'moved' | 'here';
  /** How far the vendor has taken it, and how far it was sent. */
  index: number;
  sent: number;
}

interface Session {
  readonly payee: PayeeIdentity;
  readonly budget: Value;
  spending: Spending | undefined;
}

/**
 * The user's side: one chain in each session, taken from vendor to vendor. What a vendor says it has of a chain that was
 * elsewhere, or whose last words may be lost, is where the next payment goes on from, if so much was sent.
 */
export class NetpayPayer implements Payer {
  readonly #host: SchemeHost;
  readonly #options: BrokeredOptions;
  readonly #wallet: NetpayWallet;
  readonly #sessions = new Map<SessionId, Session>();
  #outcome: Outcome<Paid> | undefined;

  constructor(host: SchemeHost, options: BrokeredOptions) {
    this.#host = host;
    this.#options = options;
    this.#wallet = new NetpayWallet(host, options);
  }

  begin(session: SessionId, payee: PayeeIdentity, budget: Value): void {
    this.#sessions.set(session, { payee, budget, spending: undefined });
  }

  pay(session: SessionId, target: Uint8Array, value: Value, most?: Value): Paid {
    const state = this.#sessions.get(session);
    const offer = state === undefined ? undefined : this.#offerOf(target, state.payee);
    if (state === undefined || offer === undefined) return refused('PAY_BAD_TARGET');
    const left = this.#settled(state, offer, value);
    if (left !== undefined) return this.#spend(left, offer, value, most);
    const chosen = this.#wallet.choose(offer.vendor, value, jumpMax);
    if (chosen !== undefined) return this.#begin(state, chosen, offer, value, most);
    if (value === 0n) return { kind: 'ready' };
    return this.#buy(session, state, offer, value, most);
  }

  onAnswer(answer: Answer): Outcome<Paid> | undefined {
    this.#outcome = undefined;
    this.#wallet.errands.onAnswer(answer);
    return this.#outcome;
  }

  onChain(_event: ChainEvent): void {}

  onRefused(session: SessionId, fault: PaymentFault): void {
    const state = this.#sessions.get(session);
    const spending = state?.spending;
    if (state === undefined || spending === undefined) return;
    spending.sent = spending.index;
    // Our records are behind the vendor's: it is asked once more how far it has taken the chain.
    if (fault.code === 'stale') {
      this.#wallet.release(spending.id);
      state.spending = undefined;
      return;
    }
    if (spending.state === 'here' && fault.code !== 'expired' && fault.code !== 'unknownChannel') return;
    // Whoever the chain was said to go to is the one that it may be spent at, so it is lost to all others.
    this.#wallet.giveUp(spending.id);
    state.spending = undefined;
  }

  /** The vendor redeems by itself. */
  finish(_session: SessionId): undefined {}

  ended(session: SessionId): void {
    const spending = this.#sessions.get(session)?.spending;
    if (spending !== undefined) this.#wallet.release(spending.id);
    this.#sessions.delete(session);
  }

  /** The target, when its vendor has signed it and redeems where our chains are from. */
  #offerOf(target: Uint8Array, { ed25519 }: PayeeIdentity): Target | undefined {
    const offer = targetMessage.decode(target);
    if (offer === undefined || offer.scheme !== schemeId) return undefined;
    if (!equalBytes(offer.broker, this.#options.broker.key)) return undefined;
    const signed = sha256(utf8(targetTag), targetBody.encode(offer));
    return ed25519Verify(ed25519, signed, offer.signature) ? offer : undefined;
  }

  /** The session's chain as the vendor's answer leaves it; undefined when it has none that is good for so much. */
  #settled(state: Session, offer: Target, value: Value): Spending | undefined {
    const { spending } = state;
    if (spending === undefined) return undefined;
    const { touchstone: stone } = this.#wallet.get(spending.id) as OwnChain;
    if (spending.state === 'moved') {
      // More than was sent: the vendor makes it up, or our records are an old copy. Going on from there would pay for nothing.
      if (!equalBytes(offer.chain, stone.chain) || offer.index > this.#wallet.sentOf(spending.id)) {
        this.#wallet.giveUp(spending.id);
        state.spending = undefined;
        return undefined;
      }
      spending.state = 'here';
      spending.sent = offer.index;
    }
    spending.index = spending.sent;
    const words = wordsFor(value, stone.unitMsat);
    if (words <= jumpMax && spending.index + words <= stone.count) return spending;
    this.#wallet.release(spending.id);
    state.spending = undefined;
    return undefined;
  }

  #begin(state: Session, id: string, offer: Target, value: Value, most: Value | undefined): Paid {
    const chain = this.#wallet.get(id) as OwnChain;
    this.#wallet.use(id);
    state.spending = { id, state: chain.out === 0 ? 'new' : 'moved', index: 0, sent: 0 };
    if (chain.out === 0) return this.#spend(state.spending, offer, value, most);
    return this.#visit(state.spending, offer, 0);
  }

  #spend(spending: Spending, offer: Target, value: Value, most: Value | undefined): Paid {
    if (value === 0n) return { kind: 'ready' };
    const { unitMsat: unit } = (this.#wallet.get(spending.id) as OwnChain).touchstone;
    const words = wordsFor(value, unit, most);
    if (words === 0) return refused('PAY_LIMIT');
    if (spending.state === 'new') {
      spending.state = 'here';
      return this.#visit(spending, offer, words);
    }
    const index = spending.index + words;
    spending.sent = index;
    return {
      kind: 'send',
      payment: payMessage.encode({
        scheme: schemeId,
        operation: operation.pay,
        index,
        word: this.#wallet.wordsOf(spending.id).word(index),
      }),
      value: unit * BigInt(words),
      persist: this.#wallet.spend(spending.id, index),
    };
  }

  /** Says that the chain is spent here from now on, and pays so many words of a new one at once. */
  #visit(spending: Spending, offer: Target, words: number): Paid {
    const { id } = spending;
    const moved = this.#wallet.moveTo(id, offer.vendor, offer.at);
    const { touchstone: stone, secret, step, from, fromAt } = this.#wallet.get(id) as OwnChain;
    const said = visit.sign(new SigningKey(secret), {
      chain: stone.chain,
      step,
      vendor: offer.vendor,
      from,
      nonce: offer.nonce,
    });
    const payment = visitMessage.encode({
      scheme: schemeId,
      operation: operation.visit,
      touchstone: stone,
      visit: said,
      previous: fromAt,
      index: words,
      word: words === 0 ? stone.root : this.#wallet.wordsOf(id).word(words),
    });
    spending.sent = words;
    const persist = words === 0 ? [moved] : [moved, ...this.#wallet.spend(id, words)];
    return { kind: 'send', payment, value: stone.unitMsat * BigInt(words), persist };
  }

  #buy(session: SessionId, { budget }: Session, offer: Target, value: Value, most: Value | undefined): Paid {
    const unit = unitFor(value);
    if (wordsFor(value, unit, most) === 0) return refused('PAY_LIMIT');
    const wanted = wordsFor(budget, unit);
    const count = Math.min(Math.max(Math.min(wanted, chunkWords), wordsFor(value, unit)), countMax);
    this.#wallet.buy(count, unit, (id, fault) => {
      const state = this.#sessions.get(session);
      if (state === undefined) return;
      const result =
        id === undefined
          ? refused(fault === 'overspent' ? 'PAY_NO_FUNDS' : 'PAY_PARTY_UNAVAILABLE', fault)
          : this.#begin(state, id, offer, value, most);
      this.#outcome = { session, result };
    });
    return { kind: 'pending', ask: this.#host.newAsk() };
  }
}

/** Words that come to `value` or more, as far as whole ones stay within `most`. */
function wordsFor(value: Value, unit: Value, most?: Value): number {
  const enough = (value + unit - 1n) / unit;
  const words = most !== undefined && enough * unit > most ? most / unit : enough;
  return words > BigInt(countMax) ? countMax + 1 : Number(words);
}

/** Larger payments are made of larger words, so that no vendor hashes for long. */
function unitFor(value: Value): Value {
  let unit = unitMsat;
  while (value > unit * BigInt(jumpMax / 2)) unit *= 2n;
  return unit;
}

function refused(code: PayFault['code'], detail?: string): Paid {
  return { kind: 'refused', fault: detail === undefined ? { code } : { code, detail } };
}
