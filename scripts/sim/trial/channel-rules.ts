import { equalBytes } from '../../../src/base/bytes.ts';
import { regtestRules } from '../../../src/bitcoin/channel-rules.ts';
import type { Paid, Payee, Payer, PaymentScheme, Redeemed, SessionId } from '../../../src/payment/scheme.ts';
import type { ChainEvent, StoreWrite } from '../../../src/ports.ts';
import {
  payMessage,
  paymentOp,
  statusMessage,
  targetOp,
} from '../../../src/schemes/bitcoin-channel/messages.ts';
import type { Block, ChainListener, SimChain } from '../../../src/sim/sim-chain.ts';
import type { ChainTransaction } from '../../../src/sim/transaction-bytes.ts';
import { payeeLike, payerLike, schemeLike } from '../scheme-like.ts';
import { type ChannelFacts, ChannelRegister, channelIn, endingOf, nameOf } from './channel-facts.ts';
import { holdConserved, type MoneyRules, type Role, type Weather } from './money-rules.ts';
import type { RuleBook } from './rule-book.ts';
import type { SecretRules } from './secret-rules.ts';

/** Rules I1 and I3 to I7 for Bitcoin channels, held at the seam of the scheme, at both disks and at the chain. */
export class ChannelRules implements MoneyRules, ChainListener {
  readonly channels = new ChannelRegister();
  readonly #secrets: SecretRules;
  readonly #book: RuleBook;
  readonly #chain: () => SimChain;
  readonly #weather: Weather;
  /** Which channel a session at a relay last took a payment of. */
  readonly #carrying = new Map<string, ChannelFacts>();
  /** Contracts that a relay was told are in a block, by its life and the channel's id: in which. */
  readonly #heard = new Map<string, { readonly life: string; readonly height: number }>();

  readonly #raced = new Set<string>();

  constructor(book: RuleBook, secrets: SecretRules, chain: () => SimChain, weather: Weather) {
    this.#book = book;
    this.#secrets = secrets;
    this.#chain = chain;
    this.#weather = weather;
  }

  watched(scheme: PaymentScheme, role: Role, _index: number, life: string): PaymentScheme {
    return schemeLike(
      scheme,
      role === 'payee'
        ? { payee: (host, signer) => this.#payee(scheme.payee(host, signer), life) }
        : { payer: host => this.#payer(scheme.payer(host)) },
    );
  }

  get races(): number {
    return this.#raced.size;
  }

  stored(role: Role, index: number, writes: readonly StoreWrite[]): void {
    for (const facts of this.channels.stored(role, index, writes)) {
      const { payeeDurableSat, signedSat, payerDurableSat, payments } = facts;
      if (role !== 'payee') continue;
      this.#book.hold(
        payeeDurableSat <= signedSat &&
          payeeDurableSat <= payerDurableSat &&
          payeeDurableSat <= payments.satMax,
        'I4',
        () =>
          `${nameOf(facts)}: the payee has ${payeeDurableSat} sat durable of ${signedSat} signed, ${payerDurableSat} durable at the payer, ${payments.satMax} payable`,
      );
    }
  }

  putBack(role: Role, index: number): void {
    for (const facts of this.channels.all) {
      if ((role === 'payer' ? facts.payer : facts.payee) === index) facts.putBack.add(role);
    }
  }

  credited(life: string, session: SessionId, msat: bigint): void {
    if (msat === 0n) return;
    const facts = this.#carrying.get(`${life}/${session}`);
    if (facts === undefined) {
      this.#book.break(
        'I7',
        `${life}: ${msat} msat credited to session ${session}, which carried no payment`,
      );
      return;
    }
    facts.creditedMsat += msat;
    const { creditedMsat, payeeDurableSat, redeemedMsat } = facts;
    if (facts.putBack.size > 0) return;
    this.#book.hold(
      creditedMsat <= redeemedMsat,
      'I7',
      () => `${nameOf(facts)}: credited ${creditedMsat} msat of ${redeemedMsat} redeemed`,
    );
    this.#book.hold(
      creditedMsat <= payeeDurableSat * 1_000n,
      'I3',
      () => `${nameOf(facts)}: credited ${creditedMsat} msat with ${payeeDurableSat} sat durable`,
    );
    this.#book.hold(
      facts.confirmed,
      'I10',
      () => `${nameOf(facts)}: credited on a contract that no block ever held`,
    );
  }

  entered(transaction: ChainTransaction): void {
    transaction.outputs.forEach(({ script, valueSat }, index) => {
      // Contracts alone are P2WSH here.
      if (script.length !== 34 || script[0] !== 0) return;
      const facts = this.channels.at({ txid: transaction.txid, index });
      const record = facts?.record;
      if (facts === undefined || record === undefined || !record.stored) {
        this.#book.break('I5', `a contract of ${valueSat} sat was broadcast and no refund of it is stored`);
        return;
      }
      const signed = record.terms.variant === 'cltv' || facts.refund.signedByPayee(record.refundSignature);
      this.#book.hold(
        signed,
        'I5',
        () => `${nameOf(facts)}: broadcast with a refund that the payee has not signed`,
      );
    });
  }

  connected(block: Block): void {
    for (const transaction of block.transactions) this.#onConfirmed(transaction, block);
  }

  disconnected(): void {}

  #onConfirmed(transaction: ChainTransaction, block: Block): void {
    for (let index = 0; index < transaction.outputs.length; index++) {
      const contract = this.channels.at({ txid: transaction.txid, index });
      if (contract !== undefined) contract.confirmed = true;
    }
    for (const { outpoint } of transaction.inputs) {
      const facts = this.channels.at(outpoint);
      if (facts !== undefined) this.#onEnding(facts, transaction, block.height);
    }
  }

  #onEnding(facts: ChannelFacts, transaction: ChainTransaction, height: number): void {
    const { terms, payments, payeeDurableSat, signedSat } = facts;
    const sum = (script: Uint8Array): bigint =>
      transaction.outputs.reduce(
        (total, out) => (equalBytes(out.script, script) ? total + out.valueSat : total),
        0n,
      );
    const [payeeSat, payerSat] = [sum(terms.payoutScript), sum(terms.refundScript)];
    const how = endingOf(facts, transaction.txid, payeeSat);
    const total = payeeSat + payerSat + terms.feeSat + (how === 'payment' ? 240n : 0n);
    this.#book.hold(
      how !== undefined && total === terms.capacitySat,
      'I1',
      () => `${nameOf(facts)}: ${terms.capacitySat} sat ended as ${payeeSat} + ${payerSat}`,
    );
    // Who was put back cannot know what it is owed.
    if (facts.putBack.size > 0) return;
    if (payeeDurableSat > 0n && height >= terms.refundHeight - regtestRules.settleMarginBlocks)
      this.#raced.add(facts.id);
    const owedSat = payments.shares(payeeDurableSat).payeeSat;
    if (how === 'refund') {
      const hindered = this.#weather.hindered(facts.payee ?? 0, terms.refundHeight - 8, height);
      this.#book.hold(
        payeeDurableSat === 0n || hindered,
        'I6',
        () => `${nameOf(facts)}: refunded with ${payeeDurableSat} sat paid`,
      );
      return;
    }
    const mostSat = signedSat === 0n ? owedSat : payments.shares(signedSat).payeeSat;
    this.#book.hold(
      payeeSat >= owedSat && payeeSat <= mostSat,
      'I6',
      () => `${nameOf(facts)}: settled ${payeeSat} sat with ${owedSat} durable and ${mostSat} signed`,
    );
  }

  all(): void {
    holdConserved(this.#book, this.#chain());
  }

  #payee(payee: Payee, life: string): Payee {
    const note = (session: SessionId, redeemed: Redeemed, payment: Uint8Array): void => {
      if (redeemed.kind !== 'added' || redeemed.value === 0n) return;
      const facts = this.channels.get(channelIn(payment));
      if (facts === undefined) {
        this.#book.break('I7', `${life}: value for a payment on a channel that is not durable`);
        return;
      }
      facts.redeemedMsat += redeemed.value;
      this.#carrying.set(`${life}/${session}`, facts);
      const paidSat = payMessage.decode(payment)?.paidSat ?? 0n;
      this.#book.hold(
        this.#heard.has(`${life}/${facts.id}`),
        'I10',
        () =>
          `${nameOf(facts)}: value for a payment on a contract that no block holds, as its payee was told`,
      );
      if (facts.putBack.size > 0) return;
      this.#book.hold(
        facts.payerDurableSat >= paidSat,
        'I4',
        () =>
          `${nameOf(facts)}: a payment of ${paidSat} sat arrived with ${facts.payerDurableSat} durable at its payer`,
      );
      this.#book.hold(
        facts.redeemedMsat <= paidSat * 1_000n,
        'I7',
        () => `${nameOf(facts)}: ${facts.redeemedMsat} msat redeemed of ${paidSat} sat paid`,
      );
    };
    return payeeLike(payee, {
      redeem: (session, payment) => {
        const redeemed = payee.redeem(session, payment);
        this.#secrets.shown('a payment', payment);
        if ('reply' in redeemed && redeemed.reply !== undefined)
          this.#secrets.shown('a target', redeemed.reply);
        note(session, redeemed, payment);
        return redeemed;
      },
      onChain: event => {
        this.#hear(life, event);
        payee.onChain(event);
      },
    });
  }

  #hear(life: string, event: ChainEvent): void {
    if (event.kind === 'paid') {
      const facts = this.channels.at(event.outpoint);
      if (facts !== undefined) this.#heard.set(`${life}/${facts.id}`, { life, height: event.height });
    }
    if (event.kind !== 'reorg') return;
    for (const [key, heard] of this.#heard)
      if (heard.life === life && heard.height > event.height) this.#heard.delete(key);
  }

  #payer(payer: Payer): Payer {
    const note = (paid: Paid | undefined): void => {
      if (paid?.kind !== 'send') return;
      const op = paid.payment[1];
      if (op !== paymentOp.pay && op !== paymentOp.close) return;
      const facts = this.channels.get(channelIn(paid.payment));
      const paidSat = payMessage.decode(paid.payment)?.paidSat ?? 0n;
      if (facts !== undefined && paidSat > facts.signedSat) facts.signedSat = paidSat;
    };
    return payerLike(payer, {
      pay: (session, target, value, most) => {
        this.#onReceipted(target);
        const paid = payer.pay(session, target, value, most);
        note(paid);
        return paid;
      },
      onAnswer: answer => {
        const outcome = payer.onAnswer(answer);
        note(outcome?.result);
        return outcome;
      },
      finish: session => {
        const paid = payer.finish(session);
        note(paid);
        return paid;
      },
    });
  }

  /** A RECEIPT's target says what the payee holds. */
  #onReceipted(target: Uint8Array): void {
    if (target[1] !== targetOp.status) return;
    const status = statusMessage.decode(target);
    const facts = status && this.channels.get(channelIn(target));
    if (status === undefined || facts === undefined || this.#weather.lies(facts.payee ?? 0)) return;
    this.#book.hold(
      facts.payeeDurableSat >= status.paidSat,
      'I3',
      () => `${nameOf(facts)}: receipted ${status.paidSat} sat with ${facts.payeeDurableSat} durable`,
    );
  }
}
