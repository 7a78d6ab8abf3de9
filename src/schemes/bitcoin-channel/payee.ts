import { equalBytes } from '../../base/bytes.ts';
import {
  channelsMax,
  channelsOpeningMax,
  firstPaymentSatMin,
  offerBlocks,
  unseenBlocksMax,
} from '../../base/limits.ts';
import { contractOutputScript } from '../../bitcoin/contract-tx.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import { signDigest, verifyDigest } from '../../crypto/ecdsa.ts';
import { Asks } from '../../payment/asks.ts';
import type {
  Outcome,
  Payee,
  PayeeSigner,
  PaymentFault,
  PaymentStatusName,
  Redeemed,
  SchemeHost,
  SessionId,
} from '../../payment/scheme.ts';
import type { Answer, ChainEvent, StoreWrite } from '../../ports.ts';
import { ChainHealth } from './chain-health.ts';
import type { Channel } from './channel.ts';
import { ChannelBook } from './channel-book.ts';
import { FirstView } from './first-view.ts';
import {
  acceptedMessage,
  claimDigest,
  claimMessage,
  closingMessage,
  fundedMessage,
  type Offer,
  type Open,
  offerDigest,
  offerMessage,
  openMessage,
  type Pay,
  payMessage,
  paymentOp,
  schemeId,
  statusMessage,
  targetOp,
} from './messages.ts';
import { offerTerms, openFault, recordOf } from './payee-terms.ts';
import type { RoleSetup } from './role-setup.ts';
import { Settlement } from './settlement.ts';
import { WentBack } from './went-back.ts';

/** One session as the payee sees it. */
interface Session {
  readonly id: SessionId;
  offer: Offer | undefined;
  channel: Channel | undefined;
  /** FUNDED or CLAIM came before this node saw the block: asked again at the next news of the chain. */
  waiting: { readonly channel: Channel; readonly claimed: boolean } | undefined;
}

const satMsat = 1_000n;

/** The payee: offers terms, signs refunds, takes payments, settles the best one. */
export class ChannelPayee implements Payee {
  readonly book: ChannelBook;
  readonly #host: SchemeHost;
  readonly #signer: PayeeSigner;
  readonly #setup: RoleSetup;
  readonly #asks: Asks<Redeemed>;
  readonly #health: ChainHealth;
  readonly #settlement: Settlement;
  readonly #firstView: FirstView;
  readonly #wentBack: WentBack;
  #sessions = new Map<SessionId, Session>();

  constructor(host: SchemeHost, signer: PayeeSigner, setup: RoleSetup) {
    this.#host = host;
    this.#signer = signer;
    this.#setup = setup;
    this.#asks = new Asks(() => host.newAsk());
    this.#health = new ChainHealth(host.clock);
    this.#firstView = new FirstView(host.chain, host.clock);
    const commit = (writes: readonly StoreWrite[]) =>
      host.store.commit(
        writes,
        this.#asks.open(() => undefined),
      );
    this.#settlement = new Settlement(host, setup, this.#asks, () => this.book.tip ?? 0);
    this.#wentBack = new WentBack({
      ...setup,
      role: 'payee',
      host,
      finalBlocks: setup.rules.finalBlocks,
      commit,
      hasContract: outpoint => this.book.knows(outpoint),
    });
    this.book = new ChannelBook({
      role: 'payee',
      network: setup.network,
      rules: setup.rules,
      keyRoot: setup.keyRoot,
      host,
      commit,
      wentBack: this.#wentBack,
      act: (channel, action) => {
        if (action === 'abandon') {
          this.#settlement.forgetChild(channel);
          this.#abandon(channel);
          return;
        }
        // A process that forgot what it has offered would take payments that it can settle no more.
        if (!channel.record.closeAsked) commit(this.book.change(channel, { closeAsked: true }));
        this.#settlement.act(channel, action);
      },
    });
    if (setup.writes.length > 0) commit(setup.writes);
    setup.wallet.watch(host.chain);
    this.book.restore();
    this.#settlement.restore(this.book.live);
  }

  target(id: SessionId): Uint8Array {
    const session = this.#session(id);
    if (session.channel !== undefined) return this.#status(session.channel);
    return offerMessage.encode(this.#offer(session));
  }

  ask(id: SessionId): Redeemed {
    return this.redeem(id, new Uint8Array(0));
  }

  redeem(id: SessionId, payment: Uint8Array): Redeemed {
    const session = this.#session(id);
    if (this.book.tip === undefined) return this.#awaitView(session, payment.slice());
    if (payment.length === 0) return added(this.target(id));
    if (payment[0] !== schemeId) return this.#refuse(session, 'malformed', 'another scheme');
    switch (payment[1]) {
      case paymentOp.open:
        return this.#onOpen(session, openMessage.decode(payment));
      case paymentOp.funded:
        return this.#onFunded(session, fundedMessage.decode(payment)?.channel);
      case paymentOp.claim:
        return this.#onClaim(session, claimMessage.decode(payment));
      case paymentOp.pay:
        return this.#onPay(session, payMessage.decode(payment));
      case paymentOp.close:
        return this.#onClose(session, payMessage.decode(payment));
      default:
        return this.#refuse(session, 'malformed', 'unknown message');
    }
  }

  onAnswer(answer: Answer): Outcome<Redeemed> | undefined {
    this.#health.onAnswer(answer);
    return this.#asks.onAnswer(answer);
  }

  onChain(event: ChainEvent): void {
    this.#health.onNews();
    this.#wentBack.onChain(event);
    this.#setup.wallet.onChain(event);
    if (event.kind === 'reorg') this.#settlement.onReorg(this.book.tip, event.height);
    this.book.onChain(event);
    if (event.kind === 'block') {
      this.#firstView.end();
      this.#settlement.onBlock();
    }
    if (event.kind === 'paid' || event.kind === 'block') this.#askAgain();
  }

  ended(id: SessionId): void {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    if (session?.channel !== undefined) this.#detach(session.channel);
  }

  /** Settles a channel without the payer's wish; false when it has no payment to settle, or is settled. */
  settle(channel: Channel): boolean {
    if (channel.best.signature.length === 0 || channel.state.ending !== undefined) return false;
    // Once that is durable: a process that forgot it would go on to take payments that it can settle no more.
    const ask = this.#asks.open(() => {
      this.book.step(channel, { kind: 'closeAsked' });
      return undefined;
    });
    this.#host.store.commit(this.book.change(channel, { closeAsked: true }), ask);
    return true;
  }

  /** What it has to know of the chain it knows in a moment. */
  #awaitView(session: Session, payment: Uint8Array): Redeemed {
    const { id } = session;
    const ask = this.#firstView.hold(this.#asks, id, () => {
      if (this.#sessions.get(id) !== session) return undefined;
      if (this.book.tip !== undefined) return this.redeem(id, payment);
      return this.#refuse(session, 'frozen', 'no news of the chain yet');
    });
    return { kind: 'pending', ask };
  }

  #onOpen(session: Session, open: Open | undefined): Redeemed {
    if (open === undefined) return this.#refuse(session, 'malformed', 'OPEN');
    const { offer } = session;
    if (session.channel !== undefined || offer === undefined || !equalBytes(open.nonce, offer.nonce)) {
      return this.#refuse(session, 'targetOld', 'not the offer of this session');
    }
    if (this.#wentBack.fault !== undefined) return this.#refuse(session, 'frozen', this.#wentBack.fault);
    const tip = this.book.tip as number;
    if (tip > offer.expiryHeight) return this.#refuse(session, 'targetOld', 'the offer expired');
    const wrong = openFault(open, offer, tip);
    if (wrong !== undefined) return this.#refuse(session, 'badTerms', wrong);
    if (!this.#hasRoom()) return this.#refuse(session, 'busy', 'too many channels');

    const record = recordOf(open, offer, tip, this.#setup);
    if (this.book.knows(record.terms.outpoint)) return this.#refuse(session, 'badTerms', 'channel known');
    const { payoutScript, wallet } = this.#setup;
    const payout = payoutScript === undefined ? wallet.taken(offer.payoutScript) : [];
    const channel = this.book.add(record);
    this.#attach(session, channel);
    this.#host.observer.count('naulon_channels_opened_total');
    const refundSignature =
      record.terms.variant === 'spillman'
        ? signDigest(channel.keys.secret, new RefundTemplate(record.terms).digest())
        : new Uint8Array(0);
    const reply = acceptedMessage.encode({
      scheme: schemeId,
      op: targetOp.accepted,
      channel: channel.id,
      refundSignature,
    });
    return { ...added(reply), persist: [...this.book.change(channel, {}), ...payout] };
  }

  #onFunded(session: Session, id: Uint8Array | undefined): Redeemed {
    if (id === undefined) return this.#refuse(session, 'malformed', 'FUNDED');
    const { channel } = session;
    if (channel === undefined || !equalBytes(channel.id, id)) return this.#refuse(session, 'unknownChannel');
    return this.#checkContract(session, channel, false);
  }

  #onClaim(session: Session, claim: { channel: Uint8Array; signature: Uint8Array } | undefined): Redeemed {
    if (claim === undefined) return this.#refuse(session, 'malformed', 'CLAIM');
    if (session.channel !== undefined || session.offer === undefined) {
      return this.#refuse(session, 'targetOld', 'the session has a channel');
    }
    const channel = this.book.get(claim.channel);
    if (channel === undefined) return this.#refuse(session, 'unknownChannel');
    const { terms } = channel.record;
    const digest = claimDigest(this.#setup.network, terms.outpoint, session.offer.nonce);
    if (!verifyDigest(terms.payerKey, digest, claim.signature)) {
      return this.#refuse(session, 'badSignature', 'CLAIM');
    }
    return this.#checkContract(session, channel, true);
  }

  /** Asks the chain for the contract; a channel is good only on the chain's word. */
  #checkContract(session: Session, channel: Channel, claimed: boolean): Redeemed {
    const late = this.#lateness(channel);
    if (late !== undefined) return this.#refuse(session, late);
    const ask = this.#asks.open(answer => this.#onContract(session, channel, claimed, answer));
    this.#host.chain.output(channel.record.terms.outpoint, ask);
    return { kind: 'pending', ask };
  }

  #onContract(
    session: Session,
    channel: Channel,
    claimed: boolean,
    answer: Answer,
  ): Outcome<Redeemed> | undefined {
    if (this.#sessions.get(session.id) !== session || answer.kind !== 'output') return undefined;
    const refuse = (code: PaymentStatusName, detail?: string): Outcome<Redeemed> => ({
      session: session.id,
      result: this.#refuse(session, code, detail),
    });
    if (this.book.get(channel.id) !== channel) return refuse('unknownChannel', 'given up meanwhile');
    if (answer.fault !== undefined) return refuse('frozen', 'the chain does not answer');
    const { output } = answer;
    const { terms, minConfirmations } = channel.record;
    if (output === undefined) return refuse('unconfirmed', 'contract not seen');
    if (!equalBytes(output.script, contractOutputScript(terms)) || output.valueSat !== terms.capacitySat) {
      return refuse('badTerms', 'the output is another');
    }
    if (output.confirmations < minConfirmations) return refuse('unconfirmed');
    const late = this.#lateness(channel);
    if (late !== undefined) return refuse(late);
    if (channel.state.phase === 'opening' || channel.state.phase === 'frozen') {
      // The chain answers ahead of its own news; the block that is on its way decides.
      session.waiting = { channel, claimed };
      return undefined;
    }
    if (claimed) this.#takeOver(session, channel);
    const persist = channel.record.accepted ? [] : this.book.change(channel, { accepted: true });
    this.book.step(channel, { kind: 'accepted' });
    return { session: session.id, result: { ...added(this.#status(channel, claimed)), persist } };
  }

  #askAgain(): void {
    for (const session of this.#sessions.values()) {
      const { waiting } = session;
      if (waiting === undefined) continue;
      session.waiting = undefined;
      const ask = this.#asks.open(answer => {
        return this.#onContract(session, waiting.channel, waiting.claimed, answer);
      });
      this.#host.chain.output(waiting.channel.record.terms.outpoint, ask);
    }
  }

  /** The hot path: the cheap checks first, one signature check, no question to anybody. */
  #onPay(session: Session, pay: Pay | undefined): Redeemed {
    if (pay === undefined) return this.#refuse(session, 'malformed', 'PAY');
    const { channel } = session;
    if (channel === undefined || !equalBytes(channel.id, pay.channel)) {
      return this.#refuse(session, 'unknownChannel');
    }
    const stop = this.#lateness(channel) ?? this.#stop(channel);
    if (stop !== undefined) return this.#refuse(session, stop);
    const { paidSat } = channel.best;
    if (pay.paidSat <= paidSat) return this.#refuse(session, 'stale');
    if (pay.paidSat > channel.payments.satMax) return this.#refuse(session, 'overspent');
    if (pay.paidSat < firstPaymentSatMin) return this.#refuse(session, 'tooSmall');
    if (!channel.payments.signedByPayer(pay.paidSat, pay.signature)) {
      return this.#refuse(session, 'badSignature');
    }
    const persist = this.#keep(channel, pay);
    return {
      kind: 'added',
      value: (pay.paidSat - paidSat) * satMsat,
      persist,
      reply: this.#status(channel),
    };
  }

  /** The payer's last word: settle at once. A channel that paid nothing returns whole, by a payment of 0. */
  #onClose(session: Session, close: Pay | undefined): Redeemed {
    if (close === undefined) return this.#refuse(session, 'malformed', 'CLOSE');
    const channel = this.book.get(close.channel);
    if (channel === undefined) return this.#refuse(session, 'unknownChannel');
    const { best, payments, state, record } = channel;
    if (state.ending !== undefined) return this.#refuse(session, 'stale');
    // What has been offered to the chain is not replaced by a payment of the same fee.
    const settles = record.closeAsked || state.phase === 'closing';
    if (close.paidSat < best.paidSat || (settles && close.paidSat !== best.paidSat))
      return this.#refuse(session, 'stale');
    if (close.paidSat > payments.satMax) return this.#refuse(session, 'overspent');
    if (close.paidSat !== 0n && close.paidSat < firstPaymentSatMin) return this.#refuse(session, 'tooSmall');
    if (!payments.signedByPayer(close.paidSat, close.signature)) {
      return this.#refuse(session, 'badSignature');
    }
    const persist = [...this.#keep(channel, close), ...this.book.change(channel, { closeAsked: true })];
    const txid = payments.txid(close.paidSat);
    const reply = closingMessage.encode({
      scheme: schemeId,
      op: targetOp.closing,
      channel: channel.id,
      paidSat: close.paidSat,
      txid,
    });
    // A settlement that the records do not know of after a crash would look as if they were old.
    const ask = this.#asks.open(() => {
      this.book.step(channel, { kind: 'closeAsked' });
      // The circuit may go on with another.
      if (session.channel === channel && channel.session === session.id) {
        session.channel = undefined;
        this.#detach(channel);
      }
      // What it adds to the best payment is settled, but not credited.
      return { session: session.id, result: added(reply) };
    });
    this.#host.store.commit(persist, ask);
    return { kind: 'pending', ask };
  }

  #keep(channel: Channel, pay: Pay): readonly StoreWrite[] {
    const payments = channel.best.payments + (pay.paidSat > channel.best.paidSat ? 1 : 0);
    return this.book.setBest(channel, { paidSat: pay.paidSat, signature: pay.signature, payments });
  }

  /** Too close to T, or over. */
  #lateness(channel: Channel): PaymentStatusName | undefined {
    const { phase, refundHeight } = channel.state;
    if (phase === 'closing' || phase === 'closed' || phase === 'refunded') return 'expired';
    const left = refundHeight - (this.book.tip as number);
    return left <= this.#setup.rules.acceptMarginBlocks ? 'expired' : undefined;
  }

  #stop(channel: Channel): PaymentStatusName | undefined {
    const { phase } = channel.state;
    if (phase === 'frozen') return 'frozen';
    if (phase !== 'open') return 'unconfirmed';
    this.#health.probe(() => {
      const ask = this.#asks.open(() => undefined);
      this.#host.chain.feerate(ask);
      return ask;
    });
    const inDoubt = this.#settlement.inDoubt || this.#health.isDown || this.#wentBack.fault !== undefined;
    return inDoubt ? 'frozen' : undefined;
  }

  /** For one more. Of contracts that nobody has seen and no session waits for, or has for long, the oldest gives way. */
  #hasRoom(): boolean {
    let opening = 0;
    let live = 0;
    let oldest: Channel | undefined;
    for (const channel of this.book.live) {
      live += 1;
      if (channel.state.phase !== 'opening') continue;
      opening += 1;
      const waited = (this.book.tip as number) - channel.record.openedHeight;
      const isWaitedFor = channel.session !== undefined && waited < unseenBlocksMax;
      if (channel.state.contractHeight === undefined && !isWaitedFor) oldest ??= channel;
    }
    if (live < channelsMax && opening < channelsOpeningMax) return true;
    if (oldest !== undefined) this.#abandon(oldest);
    return oldest !== undefined;
  }

  /** Its contract is nowhere, and nothing was paid on it. */
  #abandon(channel: Channel): void {
    const session = channel.session === undefined ? undefined : this.#sessions.get(channel.session);
    if (session !== undefined) session.channel = undefined;
    this.book.remove(channel);
    this.#setup.wallet.giveBack(channel.record.terms.payoutScript);
  }

  #offer(session: Session): Offer {
    const tip = this.book.tip ?? 0;
    if (session.offer !== undefined && tip <= session.offer.expiryHeight - offerBlocks / 2) {
      return session.offer;
    }
    const terms = offerTerms(this.#setup, this.#signer.ed25519, this.#host.entropy.bytes(16), tip);
    session.offer = { ...terms, signature: this.#signer.sign(offerDigest(terms)) };
    return session.offer;
  }

  #attach(session: Session, channel: Channel): void {
    session.channel = channel;
    session.offer = undefined;
    channel.session = session.id;
    this.book.step(channel, { kind: 'attached' });
  }

  #detach(channel: Channel): void {
    channel.session = undefined;
    this.book.step(channel, { kind: 'detached' });
  }

  /** A channel serves one session; its key's holder may move it to another, and the one before loses it. */
  #takeOver(session: Session, channel: Channel): void {
    const before = channel.session === undefined ? undefined : this.#sessions.get(channel.session);
    if (before !== undefined) before.channel = undefined;
    this.#attach(session, channel);
  }

  #status(channel: Channel, withProof = false): Uint8Array {
    const { paidSat } = channel.best;
    const signature = withProof ? channel.best.signature : new Uint8Array(0);
    return statusMessage.encode({
      scheme: schemeId,
      op: targetOp.status,
      channel: channel.id,
      paidSat,
      signature,
    });
  }

  #session(id: SessionId): Session {
    let session = this.#sessions.get(id);
    if (session === undefined) {
      session = { id, offer: undefined, channel: undefined, waiting: undefined };
      this.#sessions.set(id, session);
    }
    return session;
  }

  #refuse(session: Session, code: PaymentStatusName, detail?: string): Redeemed {
    const fault: PaymentFault = detail === undefined ? { code } : { code, detail };
    return { kind: 'refused', fault, reply: this.target(session.id) };
  }
}

/** A step worth nothing by itself. */
function added(reply: Uint8Array): Extract<Redeemed, { kind: 'added' }> {
  return { kind: 'added', value: 0n, persist: [], reply };
}
