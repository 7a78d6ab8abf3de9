import { equalBytes, fromUtf8, utf8 } from '../../base/bytes.ts';
import { fixedBytes, sizedBytes, struct, u8, u16, u32, u64 } from '../../base/struct.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import { sha256 } from '../../crypto/sha.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import type { BrokeredOptions } from '../../payment/brokered.ts';
import { DeadlineWatch } from '../../payment/deadline-watch.ts';
import { type Errand, type ErrandEnd, type ErrandNews, Errands } from '../../payment/errands.ts';
import { leadsTo, wordBefore, wordBytes } from '../../payment/hash-chain.ts';
import { RecordBook } from '../../payment/record-book.ts';
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
import type { Answer, ChainEvent, StoreWrite } from '../../ports.ts';
import {
  brokerOperation,
  commitment,
  openMessage,
  operation,
  payMessage,
  schemeId,
  settleBody,
  settledReply,
  targetBody,
  targetMessage,
  targetTag,
} from './messages.ts';
import {
  type Commitment,
  chainId,
  countMax,
  isBacked,
  jumpMax,
  marginSeconds,
  secondsOf,
  settleableTo,
} from './terms.ts';

const chainRecord = struct({ commitment, backing: sizedBytes(u16, 300), prepaid: u8 });
const paidRecord = struct({ index: u32, word: fixedBytes(wordBytes), unitMsat: u64 });
const totalRecord = struct({ msat: u64 });
/** What an errand settles: of that chain, words up to there. */
const memoRecord = struct({ chain: sizedBytes(u8), index: u32 });

interface Chain {
  readonly commitment: Commitment;
  readonly backing: Uint8Array;
  readonly prepaid: number;
}

interface Seat {
  /** What the next chain is to be committed under. */
  name: Uint8Array;
  /** The chain that is paid with; undefined until it is named. */
  chain: string | undefined;
}

/**
 * The payee's side: takes words of a chain that was committed to it under the name that its target gave, each worth one
 * unit, and hands the last one in at the broker when the circuit has ended, or the chain is about to expire.
 */
export class PaywordPayee implements Payee {
  readonly #host: SchemeHost;
  readonly #signer: PayeeSigner;
  readonly #account: SigningKey;
  readonly #broker: BrokeredOptions['broker'];
  readonly #seats = new Map<SessionId, Seat>();
  readonly #chains: RecordBook<Chain>;
  readonly #paid: RecordBook<{
    readonly index: number;
    readonly word: Uint8Array;
    readonly unitMsat: bigint;
  }>;
  /** Value of what was settled and is kept no more. */
  readonly #settled: RecordBook<{ readonly msat: bigint }>;
  readonly #errands: Errands;
  /** Chains on their way to the broker: nothing more is taken of them. */
  readonly #settling = new Set<string>();
  readonly #watch: DeadlineWatch;

  constructor(host: SchemeHost, signer: PayeeSigner, { account, broker }: BrokeredOptions) {
    this.#host = host;
    this.#signer = signer;
    this.#account = account;
    this.#broker = broker;
    this.#chains = new RecordBook(host.store, 'payword/payee/chain/', chainRecord);
    this.#paid = new RecordBook(host.store, 'payword/payee/paid/', paidRecord);
    this.#settled = new RecordBook(host.store, 'payword/payee/settled/', totalRecord);
    this.#errands = new Errands(host, 'payword/payee/errand/', (errand, news) => this.#done(errand, news));
    this.#watch = new DeadlineWatch(host.clock, () => this.#settleDue());
    for (const { memo } of this.#errands.underWay) {
      const settling = memoRecord.decode(memo);
      if (settling !== undefined) this.#settling.add(fromUtf8(settling.chain));
    }
    const left = [...this.#chains.entries()].map(([id]) => id).filter(id => !this.#settling.has(id));
    if (left.length > 0) host.clock.after(0, () => left.forEach(id => void this.#settle(id)));
  }

  target(session: SessionId): Uint8Array {
    const name = this.#seat(session).name;
    const body = {
      scheme: schemeId,
      payee: this.#account.publicKey,
      broker: this.#broker.key,
      name,
    };
    const signature = this.#signer.sign(sha256(utf8(targetTag), targetBody.encode(body)));
    return targetMessage.encode({ ...body, signature });
  }

  redeem(session: SessionId, payment: Uint8Array): Redeemed {
    if (payment[0] !== schemeId) return refused('malformed');
    if (payment[1] === operation.open) return this.#open(session, payment);
    if (payment[1] === operation.pay) return this.#pay(session, payment);
    return refused('malformed');
  }

  onAnswer(answer: Answer): Outcome<Redeemed> | undefined {
    this.#errands.onAnswer(answer);
    return undefined;
  }

  onChain(_event: ChainEvent): void {}

  /** Nothing more comes under this name: the last word goes to the broker. */
  ended(session: SessionId): void {
    const seat = this.#seats.get(session);
    this.#seats.delete(session);
    if (seat?.chain !== undefined) this.#settle(seat.chain);
  }

  #seat(session: SessionId): Seat {
    let seat = this.#seats.get(session);
    if (seat === undefined) {
      seat = { name: this.#host.entropy.bytes(16), chain: undefined };
      this.#seats.set(session, seat);
    }
    return seat;
  }

  #open(session: SessionId, payment: Uint8Array): Redeemed {
    const message = openMessage.decode(payment);
    if (message === undefined) return refused('malformed');
    const seat = this.#seat(session);
    const { commitment: said, prepaid, backing, index, word } = message;
    const id = chainId(said);
    if (seat.chain === id) return this.#advance(session, id, index, word);
    if (!equalBytes(said.name, seat.name)) return refused('targetOld');
    const fault = this.#judge(said, prepaid === 1, backing);
    if (fault !== undefined) return refused(fault);
    if (index < 1 || index > said.count || index > jumpMax) return refused('overspent');
    if (!leadsTo(said.name, said.root, word, index)) return refused('badSignature');
    if (seat.chain !== undefined) this.#settle(seat.chain);
    seat.chain = id;
    // The next chain is committed to under another name, so that none is ever opened twice.
    seat.name = this.#host.entropy.bytes(16);
    this.#watch.by(lastSecond(said) + 1);
    return {
      kind: 'added',
      value: said.unitMsat * BigInt(index),
      persist: [
        this.#chains.put(id, { commitment: said, backing, prepaid }),
        this.#paid.put(id, { index, word, unitMsat: said.unitMsat }),
      ],
      reply: this.target(session),
    };
  }

  #judge(said: Commitment, prepaid: boolean, backing: Uint8Array): PaymentStatusName | undefined {
    if (!equalBytes(said.payee, this.#account.publicKey)) return 'badTerms';
    if (said.unitMsat === 0n || said.count === 0 || said.count > countMax) return 'badTerms';
    if (this.#now > lastSecond(said)) return 'expired';
    if (!commitment.isBy(said.payer, said)) return 'badSignature';
    return isBacked(said, prepaid, backing, this.#broker.key) ? undefined : 'badSignature';
  }

  #pay(session: SessionId, payment: Uint8Array): Redeemed {
    const message = payMessage.decode(payment);
    if (message === undefined) return refused('malformed');
    const { chain } = this.#seat(session);
    if (chain === undefined) return refused('unknownChannel');
    return this.#advance(session, chain, message.index, message.word);
  }

  #advance(session: SessionId, id: string, index: number, word: Uint8Array): Redeemed {
    const [chain, paid] = [this.#chains.get(id), this.#paid.get(id)];
    if (chain === undefined || paid === undefined) return refused('unknownChannel');
    const { name, count, unitMsat } = chain.commitment;
    if (this.#settling.has(id)) return refused('expired');
    if (index <= paid.index) return refused('stale');
    if (index > count || index - paid.index > jumpMax) return refused('overspent');
    if (this.#now > lastSecond(chain.commitment)) return refused('expired');
    if (!leadsTo(name, paid.word, word, index - paid.index)) return refused('badSignature');
    return {
      kind: 'added',
      value: unitMsat * BigInt(index - paid.index),
      persist: [this.#paid.put(id, { index, word, unitMsat })],
      reply: this.target(session),
    };
  }

  get #now(): number {
    return secondsOf(this.#host.clock.wallMs());
  }

  /** Circuits may outlast their chains, and what has expired is the payer's again. */
  #settleDue(): number | undefined {
    const now = this.#now;
    let next: number | undefined;
    for (const [id, { commitment: said }] of this.#chains.entries()) {
      const due = lastSecond(said) + 1;
      if (due <= now) this.#settle(id);
      else if (next === undefined || due < next) next = due;
    }
    return next;
  }

  #settle(id: string): void {
    if (this.#settling.has(id) || this.#chains.get(id) === undefined) return;
    this.#settling.add(id);
    this.#settleOn(id, 0);
  }

  /** Hands the last word in, or the furthest that the broker hashes to when so many are settled. */
  #settleOn(id: string, settled: number): void {
    const [chain, paid] = [this.#chains.get(id), this.#paid.get(id)];
    if (chain === undefined || paid === undefined) return;
    const index = Math.min(paid.index, settleableTo(settled));
    const body = settleBody.encode({
      operation: brokerOperation.settle,
      final: index === paid.index ? 1 : 0,
      commitment: chain.commitment,
      backing: chain.backing,
      index,
      word: wordBefore(chain.commitment.name, paid.word, paid.index - index),
    });
    const request = makeAccountRequest(this.#account, this.#host.entropy, body);
    const memo = memoRecord.encode({ chain: utf8(id), index });
    this.#errands.send({ to: this.#broker.endpoint, scheme: schemeId, request, memo });
  }

  #done({ memo }: Errand, news: ErrandNews): ErrandEnd {
    const settling = memoRecord.decode(memo);
    const id = settling === undefined ? '' : fromUtf8(settling.chain);
    const [chain, paid] = [this.#chains.get(id), this.#paid.get(id)];
    if (settling === undefined || chain === undefined || paid === undefined) return [];
    const worth = paid.unitMsat * BigInt(paid.index);
    if ('fault' in news) {
      // Until it expires whoever says so may have made it up; then the broker has given back what was put aside.
      const over = news.fault === 'unknownChannel' && this.#now > chain.commitment.expiry;
      if (!over) return 'again';
      this.#host.observer.log('warn', 'a chain expired before it was settled', { lostMsat: Number(worth) });
      return this.#forget(id);
    }
    const settled = settledReply.decode(news.reply);
    // Only what says that just this word was dealt with ends it; whoever made up anything else is asked again.
    if (settled === undefined || settled.index !== settling.index) return 'again';
    if (settling.index < paid.index) {
      this.#settleOn(id, settling.index);
      return [];
    }
    if (settled.creditedMsat < worth)
      this.#host.observer.log('warn', 'a certificate was overspent', {
        lostMsat: Number(worth - settled.creditedMsat),
      });
    const before = this.#settled.get('all')?.msat ?? 0n;
    return [...this.#forget(id), this.#settled.put('all', { msat: before + worth })];
  }

  #forget(id: string): readonly StoreWrite[] {
    this.#settling.delete(id);
    return [this.#chains.drop(id), this.#paid.drop(id)];
  }
}

/** The last at which words of a chain are taken: after that it is settled. */
function lastSecond({ expiry }: Commitment): number {
  return expiry - marginSeconds;
}
