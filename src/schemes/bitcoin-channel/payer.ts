import { Transaction } from 'bitcoinjs-lib';
import { equalBytes } from '../../base/bytes.ts';
import { fail, ok, type Result } from '../../base/fault.ts';
import { channelsPerSessionMax } from '../../base/limits.ts';
import type { ChannelAction } from '../../bitcoin/channel-machine.ts';
import { fundingOfPsbt } from '../../bitcoin/psbt-funding.ts';
import type { FundedContract } from '../../bitcoin/wallet.ts';
import { Asks } from '../../payment/asks.ts';
import type {
  Outcome,
  Paid,
  PayeeIdentity,
  Payer,
  PaymentFault,
  SchemeHost,
  SessionId,
  Value,
} from '../../payment/scheme.ts';
import type { Answer, ChainEvent, StoreWrite } from '../../ports.ts';
import type { Channel } from './channel.ts';
import { ChannelBook } from './channel-book.ts';
import {
  type ContractDraft,
  draftContract,
  makeContract,
  openPayment,
  payFromWallet,
} from './contract-maker.ts';
import { FirstView } from './first-view.ts';
import {
  acceptedMessage,
  closingMessage,
  type Offer,
  offerMessage,
  paymentOp,
  type Status,
  schemeId,
  statusMessage,
  targetOp,
} from './messages.ts';
import { offerFault } from './offer-check.ts';
import { claimOf, fundedOf, paymentOf } from './payer-messages.ts';
import {
  canTakeUp,
  endsSoon,
  nearlyUsedUp,
  nextPaidSat,
  type OpenWish,
  refused,
  type PayingSession as Session,
  satMsat,
} from './paying-session.ts';
import { PayingSessions } from './paying-sessions.ts';
import { RefundFees } from './refund-fees.ts';
import type { RoleSetup } from './role-setup.ts';
import { WentBack } from './went-back.ts';

/** The payer: opens a contract for each session, pays from it, takes back what is left. */
export class ChannelPayer implements Payer {
  readonly cumulative = true;
  readonly book: ChannelBook;
  readonly #host: SchemeHost;
  readonly #setup: RoleSetup;
  readonly #asks: Asks<Paid>;
  readonly #refundFees: RefundFees<Paid>;
  readonly #firstView: FirstView;
  readonly #wentBack: WentBack;
  readonly #sessions: PayingSessions;
  /** Channels whose owner wants them closed over the next session with their payee. */
  #toClose = new Set<Channel>();

  constructor(host: SchemeHost, setup: RoleSetup) {
    this.#host = host;
    this.#setup = setup;
    this.#asks = new Asks(() => host.newAsk());
    this.#refundFees = new RefundFees(host, setup, this.#asks, (channel, found) =>
      this.book.step(channel, { kind: 'sought', found }),
    );
    this.#firstView = new FirstView(host.chain, host.clock);
    const commit = (writes: readonly StoreWrite[]) => this.#commit(writes);
    this.#wentBack = new WentBack({
      ...setup,
      role: 'payer',
      host,
      finalBlocks: setup.rules.finalBlocks,
      commit,
      hasContract: outpoint => this.book.knows(outpoint),
    });
    this.book = new ChannelBook({
      role: 'payer',
      network: setup.network,
      rules: setup.rules,
      keyRoot: setup.keyRoot,
      host,
      commit,
      wentBack: this.#wentBack,
      act: (channel, action) => this.#act(channel, action),
    });
    if (setup.writes.length > 0) this.#commit(setup.writes);
    this.#sessions = new PayingSessions(this.book);
    this.book.restore();
    // Of two that spend one coin the later counts: it was made when the other could be in no block any more.
    const inOrder = [...this.book.live].sort((a, b) => a.record.openedHeight - b.record.openedHeight);
    for (const { record } of inOrder)
      if (record.ending === undefined) setup.wallet.adopt(Transaction.fromBuffer(record.contract));
    this.#refundFees.restore(this.book.live);
    setup.wallet.watch(host.chain);
  }

  begin(id: SessionId, payee: PayeeIdentity, budget: Value): void {
    this.#sessions.begin(id, payee, budget);
  }

  pay(id: SessionId, target: Uint8Array, value: Value, most?: Value): Paid {
    const session = this.#sessions.get(id);
    if (session === undefined) return refused('PAY_REFUSED', 'no such session');
    if (session.pending !== undefined) return session.pending;
    if (this.book.tip === undefined) return this.#awaitView(session, target.slice(), value, most);
    if (this.#wentBack.fault !== undefined) return refused('PAY_STORE_WENT_BACK', this.#wentBack.fault);
    if (target[0] !== schemeId) return refused('PAY_BAD_TARGET', 'another scheme');
    switch (target[1]) {
      case targetOp.offer:
        return this.#onOffer(session, offerMessage.decode(target));
      case targetOp.accepted:
        return this.#onAccepted(session, acceptedMessage.decode(target));
      case targetOp.status:
        return this.#onStatus(session, statusMessage.decode(target), value, most);
      case targetOp.closing:
        return this.#onClosing(session, closingMessage.decode(target));
      default:
        return refused('PAY_BAD_TARGET', 'unknown message');
    }
  }

  endsSoon(id: SessionId): boolean {
    return endsSoon(this.#sessions.get(id), this.book.tip);
  }

  onAnswer(answer: Answer): Outcome<Paid> | undefined {
    return this.#asks.onAnswer(answer);
  }

  onChain(event: ChainEvent): void {
    this.#wentBack.onChain(event);
    this.#setup.wallet.onChain(event);
    this.book.onChain(event);
    if (event.kind === 'block') {
      this.#firstView.end();
      this.#refundFees.raise(event.height);
    }
    if (event.kind !== 'block' && event.kind !== 'paid') return;
    for (const session of this.#sessions.all()) this.#lookForContract(session);
  }

  onRefused(id: SessionId, fault: PaymentFault): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    session.refused = true;
    const { channel } = session;
    if (channel === undefined) return;
    if (fault.code === 'unknownChannel') channel.disowned = true;
    if (session.sent === 'claim') session.refusedClaims.add(channel);
    if (fault.code === 'unknownChannel' || session.sent !== 'other') {
      this.#sessions.detach(session);
    } else if (fault.code === 'unconfirmed') {
      session.owesFunded = true;
      session.fundedFromHeight = (this.book.tip ?? 0) + 1;
    }
  }

  finish(id: SessionId): Paid | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined) return undefined;
    const ours = ({ record }: Channel) => equalBytes(record.peer, session.payee);
    const channel = session.channel ?? [...this.#toClose].find(ours);
    if (channel === undefined || !channel.record.stored || channel.state.ending !== undefined)
      return undefined;
    this.#toClose.delete(channel);
    return this.#close(channel);
  }

  ended(id: SessionId): void {
    this.#sessions.ended(id);
  }

  /** This session opens a channel of its own, whatever idle channels there are. */
  openNew(id: SessionId, wish: OpenWish): boolean {
    const session = this.#sessions.get(id);
    if (session === undefined || session.channel !== undefined) return false;
    session.wish = wish;
    return true;
  }

  /** Another wallet's signed PSBT (base64) for the contract that the session waits to be paid for. */
  fundNew(id: SessionId, psbt: string): Result<undefined> {
    const session = this.#sessions.get(id);
    const draft = session?.unpaid;
    if (session === undefined || draft === undefined)
      return fail('CHANNEL_UNKNOWN', 'no contract waits for it');
    const funding = fundingOfPsbt(psbt, draft.script, draft.capacitySat);
    if (!funding.ok) return funding;
    session.unpaid = undefined;
    const ask = this.#asks.open(() => {
      if (!this.#sessions.has(session)) return undefined;
      session.pending = undefined;
      return { session: id, result: this.#open(session, draft, { ...funding.value, writes: [] }) };
    });
    // Outcomes come with answers of the chain alone; this one carries OPEN out.
    this.#host.chain.feerate(ask);
    return ok(undefined);
  }

  /** The next session with its payee that finishes closes this channel, if it has none of its own. */
  closeNext(channel: Channel): boolean {
    if (channel.session !== undefined || !channel.record.stored || channel.state.ending !== undefined)
      return false;
    this.#toClose.add(channel);
    return true;
  }

  /** Offers the refund to the chain now; false before T, when no block would take it. */
  refund(channel: Channel): boolean {
    if (!channel.record.stored || (this.book.tip ?? 0) < channel.record.terms.refundHeight) return false;
    this.#broadcast([channel.own.refund(channel.record).bytes], 'refund_refused');
    return true;
  }

  /** Its coins are not known yet: in a moment they are. */
  #awaitView(session: Session, target: Uint8Array, value: Value, most?: Value): Paid {
    const ask = this.#firstView.hold(this.#asks, session.id, () => {
      session.pending = undefined;
      if (!this.#sessions.has(session)) return undefined;
      if (this.book.tip !== undefined) return this.pay(session.id, target, value, most);
      return refused('PAY_CHAIN_UNAVAILABLE', 'no news of the chain yet');
    });
    session.pending = { kind: 'pending', ask };
    return session.pending;
  }

  #onOffer(session: Session, offer: Offer | undefined): Paid {
    if (offer === undefined) return refused('PAY_BAD_TARGET', 'OFFER');
    const fault = offerFault(offer, {
      network: this.#setup.network,
      payee: session.payee,
      tip: this.book.tip as number,
      refundBlocks: this.#setup.rules.refundBlocks,
    });
    if (fault !== undefined) return refused('PAY_BAD_TARGET', fault);
    // What a payee wants of a new channel; half of what it is given, lest one that wants much gets one for each stream.
    session.lateBlocks = Math.min(offer.refundBlocksMin, this.#setup.rules.refundBlocks / 2);
    if (session.channel !== undefined) {
      // The payee has lost the channel, or never had it; what was locked in it comes back at T.
      session.channel.disowned = true;
      this.#sessions.detach(session);
    }
    const idle = session.wish === undefined ? this.#idleChannel(session, offer) : undefined;
    if (idle !== undefined) return this.#claim(session, offer, idle);
    const openedMax = session.wish === undefined ? channelsPerSessionMax : 1;
    if (session.opened >= openedMax) return refused('PAY_REFUSED', 'the payee takes no contract');
    session.opened += 1;
    const { budget, wish } = session;
    const capacitySat = wish?.capacitySat;
    const tip = this.book.tip as number;
    const draft = draftContract({ offer, budget, capacitySat, tip }, this.#setup, this.#host.entropy);
    if (!draft.ok) return { kind: 'refused', fault: draft.fault };
    return wish?.onUnpaid === undefined
      ? this.#payFromWallet(session, draft.value)
      : this.#awaitPayment(session, draft.value, wish.onUnpaid);
  }

  #payFromWallet(session: Session, draft: ContractDraft): Paid {
    return this.#sessions.wait(session, then => {
      const ask = this.#asks.open(answer => {
        const satPerKvb = answer.kind === 'feerate' ? answer.satPerKvb : undefined;
        if (satPerKvb === undefined) return then(refused('PAY_CHAIN_UNAVAILABLE', 'no feerate'));
        const funded = payFromWallet(draft, satPerKvb, this.#setup);
        return then(
          funded.ok ? this.#open(session, draft, funded.value) : { kind: 'refused', fault: funded.fault },
        );
      });
      this.#host.chain.feerate(ask);
      return ask;
    });
  }

  /** The answer only carries the wait: fundNew ends it. */
  #awaitPayment(session: Session, draft: ContractDraft, tell: (draft: ContractDraft) => void): Paid {
    session.unpaid = draft;
    const waiting = this.#sessions.wait(session, () => this.#host.newAsk());
    tell(draft);
    return waiting;
  }

  /** An open channel that no session uses: opened ahead, or left by a process or a circuit that died. */
  #idleChannel(session: Session, offer: Offer): Channel | undefined {
    const nearest = (this.book.tip as number) + offer.refundBlocksMin;
    const { reusePaidChannels } = this.#setup;
    return [...this.book.live].find(
      channel =>
        !this.#toClose.has(channel) &&
        canTakeUp(session, channel, reusePaidChannels) &&
        channel.record.terms.refundHeight > nearest,
    );
  }

  #claim(session: Session, offer: Offer, channel: Channel): Paid {
    this.#sessions.attach(session, channel);
    // What was signed last may never have arrived: the payee's next word says.
    session.refused = true;
    session.sent = 'claim';
    const payment = claimOf(channel, this.#setup.network, offer.nonce);
    return { kind: 'send', payment, value: 0n, persist: [] };
  }

  /** Keeps the contract, which is paid for and signed; it is sent when the refund is safe. */
  #open(session: Session, draft: ContractDraft, funded: Omit<FundedContract, 'feeSat'>): Paid {
    const { record, writes } = makeContract(draft, funded, this.#setup);
    const channel = this.book.add(record);
    this.#sessions.attach(session, channel);
    session.refused = false;
    session.sent = 'open';
    this.#host.observer.count('naulon_channels_opened_total');
    const payment = openPayment(draft.offer, record.terms);
    return { kind: 'send', payment, value: 0n, persist: [...writes, ...this.book.change(channel, {})] };
  }

  /** The refund is ours: keep it, only then send the contract, and wait until it is deep enough. */
  #onAccepted(
    session: Session,
    accepted: { channel: Uint8Array; refundSignature: Uint8Array } | undefined,
  ): Paid {
    const { channel } = session;
    if (accepted === undefined || channel === undefined || !equalBytes(channel.id, accepted.channel)) {
      return refused('PAY_BAD_TARGET', 'ACCEPTED');
    }
    session.sent = 'other';
    session.owesFunded = true;
    if (channel.record.stored) return this.#awaitContract(session);
    const { refundSignature } = accepted;
    const needed = channel.record.terms.variant === 'spillman';
    if (needed && !channel.refund.signedByPayee(refundSignature)) {
      this.#sessions.detach(session);
      return refused('PAY_BAD_REFUND_SIGNATURE');
    }
    const writes = this.book.change(channel, { stored: true, refundSignature });
    return this.#sessions.wait(session, () => {
      const ask = this.#asks.open(() => {
        // Given up while it was being stored: it was sent nowhere.
        if (this.book.get(channel.id) !== channel) return undefined;
        this.book.step(channel, { kind: 'stored' });
        session.awaitsContract = true;
        return undefined;
      });
      this.#host.store.commit(writes, ask);
      return ask;
    });
  }

  #awaitContract(session: Session): Paid {
    session.awaitsContract = true;
    // The answer only carries the wait; the chain's own news decides (#lookForContract).
    const waiting = this.#sessions.wait(session, () => this.#host.newAsk());
    this.#lookForContract(session);
    return waiting;
  }

  /** On news of the chain: once the contract is deep enough, a last question to the chain carries FUNDED out. */
  #lookForContract(session: Session): void {
    const { channel } = session;
    if (!session.awaitsContract || channel === undefined) return;
    if ((this.book.tip ?? 0) < session.fundedFromHeight) return;
    if (channel.state.phase !== 'funded' && channel.state.phase !== 'open') return;
    session.awaitsContract = false;
    const ask = this.#asks.open(answer => {
      if (!this.#sessions.has(session)) return undefined;
      if (answer.kind !== 'output' || answer.output === undefined) {
        session.awaitsContract = true;
        return undefined;
      }
      session.pending = undefined;
      session.owesFunded = false;
      const payment = fundedOf(channel);
      return { session: session.id, result: { kind: 'send', payment, value: 0n, persist: [] } };
    });
    this.#host.chain.output(channel.record.terms.outpoint, ask);
  }

  #onStatus(session: Session, status: Status | undefined, value: Value, most?: Value): Paid {
    const { channel } = session;
    if (status === undefined || channel === undefined || !equalBytes(channel.id, status.channel)) {
      return refused('PAY_BAD_TARGET', 'STATUS');
    }
    if (!channel.record.stored) return refused('PAY_BAD_TARGET', 'STATUS before ACCEPTED');
    session.sent = 'other';
    if (session.owesFunded) return this.#awaitContract(session);
    if (channel.state.ending !== undefined || channel.record.closeAsked) {
      return refused('PAY_CHANNEL_EXHAUSTED', 'the channel is closing');
    }
    if (!this.#recall(channel, status)) return refused('PAY_BAD_TARGET', 'more than was ever signed');
    if (this.#wentBack.fault !== undefined) return refused('PAY_STORE_WENT_BACK', this.#wentBack.fault);
    const { best, payments } = channel;
    if (status.paidSat < channel.acknowledgedSat) return refused('PAY_BAD_TARGET', 'the payee went back');
    channel.acknowledgedSat = status.paidSat;
    const news = channel.record.accepted ? [] : this.book.change(channel, { accepted: true });
    if (news.length > 0) this.book.step(channel, { kind: 'accepted' });
    // What was signed and refused was not credited: the next payment counts from what the payee holds, and includes it.
    const from = session.refused ? status.paidSat : best.paidSat;
    const paidSat = value > 0n ? nextPaidSat(from, best.paidSat, value, most) : undefined;
    if (paidSat === undefined || paidSat > payments.satMax) {
      if (news.length > 0) this.#commit(news);
      if (value <= 0n) return { kind: 'ready' };
      if (paidSat === undefined) return refused('PAY_LIMIT');
      const isWorthAnother = nearlyUsedUp(channel, status.paidSat) && paidSat - from <= payments.satMax;
      return isWorthAnother ? this.#close(channel) : refused('PAY_CHANNEL_EXHAUSTED');
    }
    session.refused = false;
    const { payment, signature } = paymentOf(channel, paymentOp.pay, paidSat);
    const count = best.payments + (paidSat > best.paidSat ? 1 : 0);
    const kept = this.book.setBest(channel, { paidSat, signature, payments: count });
    return { kind: 'send', payment, value: (paidSat - from) * satMsat, persist: [...news, ...kept] };
  }

  #close(channel: Channel): Paid {
    const { payment } = paymentOf(channel, paymentOp.close, channel.best.paidSat);
    const persist = this.book.change(channel, { closeAsked: true });
    this.book.step(channel, { kind: 'closeAsked' });
    return { kind: 'send', payment, value: 0n, persist };
  }

  /** The circuit outlives the channel: the payee is asked for another offer. */
  #onClosing(session: Session, closing: { channel: Uint8Array } | undefined): Paid {
    const { channel } = session;
    if (closing === undefined || channel === undefined || !equalBytes(channel.id, closing.channel))
      return refused('PAY_BAD_TARGET', 'CLOSING');
    if (!channel.record.closeAsked) return refused('PAY_CHANNEL_EXHAUSTED', 'the payee settles the channel');
    this.#sessions.detach(session);
    session.wish = undefined;
    session.opened = 0;
    return { kind: 'send', payment: new Uint8Array(0), value: 0n, persist: [] };
  }

  /**
   * A payer that was restored from a backup may have signed more than it remembers. What the payee holds counts, if it
   * shows the signature; false: it does not.
   */
  #recall(channel: Channel, { paidSat, signature }: Status): boolean {
    const { best, payments } = channel;
    if (paidSat <= best.paidSat) return true;
    if (!payments.allows(paidSat) || !payments.signedByPayer(paidSat, signature)) return false;
    this.#wentBack.found('payment', channel.record.openedHeight);
    this.#commit(this.book.setBest(channel, { paidSat, signature, payments: best.payments + 1 }));
    return true;
  }

  #act(channel: Channel, action: ChannelAction): void {
    const { wallet } = this.#setup;
    const { contract } = channel.record;
    if (action === 'broadcastContract') {
      // At the start it may have been over, and a reorganisation has undone that.
      wallet.adopt(Transaction.fromBuffer(contract));
      this.#broadcast([contract], 'contract_refused');
    } else if (action === 'broadcastRefund') this.#refundFees.offer(channel);
    else if (action === 'abandon') {
      wallet.release(Transaction.fromBuffer(contract));
      this.book.remove(channel);
    }
  }

  #broadcast(transactions: readonly Uint8Array[], complaint: string): void {
    const ask = this.#asks.open(answer => {
      if (answer.kind === 'broadcast' && answer.fault !== undefined) {
        this.#host.observer.log('debug', complaint, { fault: answer.fault });
      }
      return undefined;
    });
    this.#host.chain.broadcast(transactions, ask);
  }

  #commit(writes: readonly StoreWrite[]): void {
    this.#host.store.commit(
      writes,
      this.#asks.open(() => undefined),
    );
  }
}
