import { Transaction } from 'bitcoinjs-lib';
import { assert } from '../../base/assert.ts';
import { equalBytes, toHex } from '../../base/bytes.ts';
import {
  type ChannelAction,
  type ChannelEvent,
  type ChannelState,
  dueByRecords,
  newChannel,
  stepChannel,
} from '../../bitcoin/channel-machine.ts';
import type { ChannelRules } from '../../bitcoin/channel-rules.ts';
import { contractOutputScript } from '../../bitcoin/contract-tx.ts';
import type { HdKey, KeyPair } from '../../bitcoin/keys.ts';
import { outpointKey } from '../../bitcoin/outpoint.ts';
import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import type { SchemeHost, SessionId } from '../../payment/scheme.ts';
import type { ChainEvent, StoreWrite } from '../../ports.ts';
import {
  type BestPayment,
  bestKey,
  bestWrite,
  type ChannelRecord,
  channelWrite,
  type Ending,
  noPayment,
  type Role,
  readChannels,
  removalWrites,
} from './channel-record.ts';
import { spendingBy } from './contract-spending.ts';
import type { FeeChild } from './fee-child.ts';
import { channelId, type Network } from './messages.ts';
import { OwnTransactions } from './own-transactions.ts';
import type { WentBack } from './went-back.ts';

/** A channel in memory; the record is what is durable of it, or is about to be. */
export interface Channel {
  readonly id: Uint8Array;
  readonly keys: KeyPair;
  readonly payments: PaymentTemplate;
  readonly refund: RefundTemplate;
  readonly own: OwnTransactions;
  readonly contractScript: Uint8Array;
  /** The node's rules with the confirmations agreed on. */
  readonly rules: ChannelRules;
  readonly bestKey: string;
  record: ChannelRecord;
  best: BestPayment;
  state: ChannelState;
  session: SessionId | undefined;
  /** Payer: what the payee last said it holds. */
  acknowledgedSat: bigint;
  /** Payer: the payee does not know the channel any more. */
  disowned: boolean;
  /** Payee: the child that raises the settlement's fee. */
  bump: FeeChild | undefined;
}

export interface BookOptions {
  readonly role: Role;
  readonly network: Network;
  readonly rules: ChannelRules;
  /** Channel keys are its named children. */
  readonly keyRoot: HdKey;
  readonly host: SchemeHost;
  /** Writes records that nobody waits for. */
  readonly commit: (writes: readonly StoreWrite[]) => void;
  readonly wentBack: Pick<WentBack, 'found'>;
  /** Does what a channel's state asks for. */
  readonly act: (channel: Channel, action: ChannelAction) => void;
}

/** All channels of one role: their records, and what the chain's events make of them. */
export class ChannelBook {
  readonly #options: BookOptions;
  #channels = new Map<string, Channel>();
  #byOutpoint = new Map<string, Channel>();
  #byScript = new Map<string, Channel>();
  /** Channels that can still change, so that a block costs nothing for those long ended. */
  #active = new Set<Channel>();
  /** Channels that ended before this process began, and of whose ending the chain has not spoken since. */
  #unproven = new Set<Channel>();
  #tip: number | undefined;

  constructor(options: BookOptions) {
    this.#options = options;
  }

  /** Height of the best chain; undefined until the chain was heard of. */
  get tip(): number | undefined {
    return this.#tip;
  }

  get all(): readonly Channel[] {
    return [...this.#channels.values()];
  }

  get active(): Iterable<Channel> {
    return this.#active;
  }

  get(id: Uint8Array): Channel | undefined {
    return this.#channels.get(toHex(id));
  }

  /** Takes up what the store holds. */
  restore(): void {
    const { host, role } = this.#options;
    for (const { record, best } of readChannels(host.store, role)) {
      assert(record !== undefined && best !== undefined, 'the records of a channel can be read');
      const channel = this.#make(record, best);
      this.#index(channel);
      this.#watch(channel);
      if (record.ending !== undefined) this.#unproven.add(channel);
    }
  }

  /** A new channel; its record is to be made durable by whoever adds it. */
  add(record: ChannelRecord): Channel {
    const channel = this.#make(record, noPayment);
    this.#index(channel);
    this.#watch(channel);
    return channel;
  }

  /** A reorganisation may confirm the contract in a block below the tip at which it was opened. */
  #watch({ contractScript, record }: Channel): void {
    const { host, rules } = this.#options;
    host.chain.watch(contractScript, Math.max(0, record.openedHeight - rules.finalBlocks));
  }

  /** As if it had never been. */
  remove(channel: Channel): void {
    this.#channels.delete(toHex(channel.id));
    this.#byOutpoint.delete(outpointKey(channel.record.terms.outpoint));
    this.#byScript.delete(toHex(channel.contractScript));
    this.#active.delete(channel);
    this.#unproven.delete(channel);
    this.#options.commit(removalWrites(this.#options.role, channel.id));
  }

  /** True for an outpoint that a channel has or had. */
  knows(outpoint: { txid: Uint8Array; index: number }): boolean {
    return this.#byOutpoint.has(outpointKey(outpoint));
  }

  /** True for the output of a contract that a channel has or had. */
  hasContract(script: Uint8Array): boolean {
    return this.#byScript.has(toHex(script));
  }

  change(channel: Channel, change: Partial<ChannelRecord>): readonly StoreWrite[] {
    channel.record = { ...channel.record, ...change };
    return [channelWrite(this.#options.role, channel.id, channel.record)];
  }

  setBest(channel: Channel, best: BestPayment): readonly StoreWrite[] {
    channel.best = best;
    this.step(channel, { kind: 'paid', paidSat: best.paidSat });
    return [bestWrite(channel.bestKey, best)];
  }

  step(channel: Channel, event: ChannelEvent): void {
    const { state, actions } = stepChannel(channel.state, event, this.#tip ?? 0, channel.rules);
    channel.state = state;
    // Without a tip every deadline looks far away; but for what the records alone call for, nothing is done before.
    if (this.#tip === undefined) return;
    for (const action of actions) this.#options.act(channel, action);
  }

  onChain(event: ChainEvent): void {
    switch (event.kind) {
      case 'tip':
        this.#actByRecords(event.height);
        return;
      case 'block':
        if (this.#tip === undefined) this.#begin(event.height);
        this.#tip = event.height;
        for (const channel of [...this.#active]) this.#onBlock(channel, event.height);
        return;
      case 'reorg':
        this.#onReorg(event.height);
        return;
      case 'paid': {
        const channel = this.#byScript.get(toHex(event.script));
        if (channel === undefined) return;
        const { outpoint, capacitySat } = channel.record.terms;
        if (outpointKey(outpoint) !== outpointKey(event.outpoint) || capacitySat !== event.valueSat) return;
        this.#active.add(channel);
        this.step(channel, { kind: 'confirmed', height: event.height });
        return;
      }
      case 'spent': {
        const channel = this.#byOutpoint.get(outpointKey(event.outpoint));
        if (channel !== undefined) this.#onSpent(channel, event.transaction, event.height);
      }
    }
  }

  /** Past blocks may be many, and T is near. */
  #actByRecords(tip: number): void {
    for (const channel of this.#active) {
      const due = dueByRecords(channel.state, tip, channel.rules);
      if (due !== undefined) this.#options.act(channel, due);
    }
  }

  /** Sessions do not outlive a process: what the store held is idle from the first tip on. */
  #begin(tip: number): void {
    this.#tip = tip;
    for (const channel of this.#active) {
      if (channel.session === undefined) this.step(channel, { kind: 'detached' });
    }
    // An ending that past blocks did not hold was taken away by a reorganisation while this process was down.
    for (const channel of this.#unproven) {
      this.#active.add(channel);
      this.#options.commit(this.change(channel, { ending: undefined }));
      this.step(channel, { kind: 'unspent' });
    }
    this.#unproven.clear();
  }

  #onBlock(channel: Channel, height: number): void {
    this.step(channel, { kind: 'block', height });
    const { ending } = channel.state;
    if (ending !== undefined && height - ending.height + 1 >= this.#options.rules.finalBlocks) {
      this.#active.delete(channel);
    }
  }

  #onReorg(height: number): void {
    if (this.#tip !== undefined && this.#tip > height) this.#tip = height;
    for (const channel of this.#channels.values()) {
      const touched = (channel.record.ending?.height ?? 0) > height;
      if (!touched && !this.#active.has(channel)) continue;
      this.#active.add(channel);
      if (touched) this.#options.commit(this.change(channel, { ending: undefined }));
      this.step(channel, { kind: 'reorg', height });
    }
  }

  #onSpent(channel: Channel, bytes: Uint8Array, height: number): void {
    this.#unproven.delete(channel);
    const spending = spendingBy(channel.record.terms, Transaction.fromBuffer(bytes));
    const ending: Ending = { ...spending, height };
    const { best, payments } = channel;
    // Its payee may settle a channel long after the payment: only the channel's age says what the records can know of it.
    if (ending.how === 'payment' && ending.payeeSat > payments.shares(best.paidSat).payeeSat)
      this.#options.wentBack.found('payment', channel.record.openedHeight);
    const known = channel.record.ending;
    if (known === undefined || known.height !== height || !equalBytes(known.txid, ending.txid)) {
      this.#options.commit(this.change(channel, { ending }));
    }
    this.step(channel, { kind: 'spent', how: ending.how, height });
  }

  #make(record: ChannelRecord, best: BestPayment): Channel {
    const { role, network, keyRoot, rules } = this.#options;
    const { terms, minConfirmations } = record;
    const id = channelId(network, terms.outpoint);
    const fresh = newChannel(role, terms.refundHeight, record.stored);
    const { ending, accepted, closeAsked } = record;
    const keys = keyRoot.named(record.keyName).keyPair();
    const [payments, refund] = [new PaymentTemplate(terms), new RefundTemplate(terms)];
    return {
      id,
      keys,
      payments,
      refund,
      own: new OwnTransactions(keys, payments, refund),
      contractScript: contractOutputScript(terms),
      rules: { ...rules, minConfirmations },
      bestKey: bestKey(role, id),
      record,
      best,
      state: { ...fresh, accepted, closeAsked, wasGood: accepted, paidSat: best.paidSat, ending },
      session: undefined,
      acknowledgedSat: 0n,
      disowned: false,
      bump: undefined,
    };
  }

  #index(channel: Channel): void {
    this.#channels.set(toHex(channel.id), channel);
    this.#byOutpoint.set(outpointKey(channel.record.terms.outpoint), channel);
    this.#byScript.set(toHex(channel.contractScript), channel);
    this.#active.add(channel);
  }
}
