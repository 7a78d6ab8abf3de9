import { Transaction } from 'bitcoinjs-lib';
import { assert } from '../../base/assert.ts';
import { equalBytes, toHex } from '../../base/bytes.ts';
import {
  type ChannelAction,
  type ChannelEvent,
  dueByRecords,
  stepChannel,
} from '../../bitcoin/channel-machine.ts';
import { outpointKey } from '../../bitcoin/outpoint.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import type { ChainEvent, Outpoint, StoreWrite } from '../../ports.ts';
import { Channel, type ChannelMaking } from './channel.ts';
import {
  type BestPayment,
  bestWrite,
  type ChannelRecord,
  channelWrite,
  type Ending,
  type KeptChannel,
  noPayment,
  readChannel,
  readChannels,
  removalWrites,
} from './channel-record.ts';
import { spendingBy } from './contract-spending.ts';
import { channelId } from './messages.ts';
import type { WentBack } from './went-back.ts';

export interface BookOptions extends ChannelMaking {
  readonly host: SchemeHost;
  /** Writes records that nobody waits for. */
  readonly commit: (writes: readonly StoreWrite[]) => void;
  readonly wentBack: Pick<WentBack, 'found'>;
  /** Does what a channel's state asks for. */
  readonly act: (channel: Channel, action: ChannelAction) => void;
}

/**
 * All channels of one role: their records, and what the chain's events make of them. Those whose ending is final are in the
 * store alone, so that a node's memory and a block's work follow from the channels it has, and not from those it had.
 */
export class ChannelBook {
  readonly #options: BookOptions;
  /** By id in hex. */
  #live = new Map<string, Channel>();
  /** Channels that ended before this process began, and of whose ending the chain has not spoken since. */
  #unproven = new Set<Channel>();
  /** No ending of a channel that is in the store alone is in a block above. */
  #finalHeight = 0;
  #tip: number | undefined;

  constructor(options: BookOptions) {
    this.#options = options;
  }

  /** Height of the best chain; undefined until the chain was heard of. */
  get tip(): number | undefined {
    return this.#tip;
  }

  /** Those that can still change. */
  get live(): Iterable<Channel> {
    return this.#live.values();
  }

  /** Those in the store alone, too: reads and decodes every record. */
  get all(): readonly Channel[] {
    return [...this.#live.values(), ...this.#final(() => true)];
  }

  /** One that is final is made anew from its record. */
  get(id: Uint8Array): Channel | undefined {
    const { host, role } = this.#options;
    const channel = this.#live.get(toHex(id));
    if (channel !== undefined) return channel;
    const kept = readChannel(host.store, role, id);
    // A record without an ending is about to be removed.
    return kept?.record?.ending === undefined ? undefined : this.#make(kept);
  }

  /** True for the output of a contract that a channel has or had. */
  knows(outpoint: Outpoint): boolean {
    const { host, network, role } = this.#options;
    const id = channelId(network, outpoint);
    return this.#live.has(toHex(id)) || readChannel(host.store, role, id) !== undefined;
  }

  /** Takes up what the store holds. */
  restore(): void {
    const { host, role } = this.#options;
    for (const kept of readChannels(host.store, role)) {
      const channel = this.#make(kept);
      this.#watch(channel);
      if (channel.record.ending !== undefined) this.#unproven.add(channel);
    }
  }

  /** A new channel; its record is to be made durable by whoever adds it. */
  add(record: ChannelRecord): Channel {
    const channel = new Channel(this.#options, record, noPayment);
    this.#watch(channel);
    return channel;
  }

  /** A reorganisation may confirm the contract in a block below the tip at which it was opened. */
  #watch(channel: Channel): void {
    const { host, rules } = this.#options;
    this.#live.set(toHex(channel.id), channel);
    host.chain.watch(channel.contractScript, Math.max(0, channel.record.openedHeight - rules.finalBlocks));
  }

  /** As if it had never been. */
  remove(channel: Channel): void {
    this.#forget(channel);
    this.#options.commit(removalWrites(this.#options.role, channel.id));
  }

  #forget(channel: Channel): void {
    this.#live.delete(toHex(channel.id));
    this.#unproven.delete(channel);
    this.#options.host.chain.unwatch(channel.contractScript);
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
        for (const channel of [...this.#live.values()]) this.#onBlock(channel, event.height);
        return;
      case 'reorg':
        this.#onReorg(event.height);
        return;
      case 'paid': {
        const channel = this.#liveAt(event.outpoint);
        if (channel === undefined || channel.record.terms.capacitySat !== event.valueSat) return;
        if (!equalBytes(channel.contractScript, event.script)) return;
        this.step(channel, { kind: 'confirmed', height: event.height });
        return;
      }
      case 'spent': {
        const channel = this.#liveAt(event.outpoint);
        if (channel !== undefined) this.#onSpent(channel, event.transaction, event.height);
      }
    }
  }

  #liveAt(outpoint: Outpoint): Channel | undefined {
    const channel = this.#live.get(toHex(channelId(this.#options.network, outpoint)));
    const same = channel && outpointKey(channel.record.terms.outpoint) === outpointKey(outpoint);
    return same ? channel : undefined;
  }

  /** Past blocks may be many, and T is near. */
  #actByRecords(tip: number): void {
    for (const channel of this.#live.values()) {
      const due = dueByRecords(channel.state, tip, channel.rules);
      if (due !== undefined) this.#options.act(channel, due);
    }
  }

  /** Sessions do not outlive a process: what the store held is idle from the first tip on. */
  #begin(tip: number): void {
    this.#tip = tip;
    for (const channel of this.#live.values()) {
      if (channel.session === undefined) this.step(channel, { kind: 'detached' });
    }
    // An ending that past blocks did not hold was taken away by a reorganisation while this process was down.
    for (const channel of this.#unproven) {
      this.#options.commit(this.change(channel, { ending: undefined }));
      this.step(channel, { kind: 'unspent' });
    }
    this.#unproven.clear();
  }

  #onBlock(channel: Channel, height: number): void {
    this.step(channel, { kind: 'block', height });
    const { ending } = channel.state;
    if (ending === undefined || height - ending.height + 1 < this.#options.rules.finalBlocks) return;
    // Its session looks at it until it ends.
    if (channel.session !== undefined) return;
    this.#finalHeight = Math.max(this.#finalHeight, ending.height);
    this.#forget(channel);
  }

  #onReorg(height: number): void {
    if (this.#tip !== undefined && this.#tip > height) this.#tip = height;
    if (height < this.#finalHeight)
      for (const channel of this.#final(ending => ending.height > height)) this.#watch(channel);
    this.#finalHeight = Math.min(this.#finalHeight, height);
    for (const channel of this.#live.values()) {
      if ((channel.record.ending?.height ?? 0) > height)
        this.#options.commit(this.change(channel, { ending: undefined }));
      this.step(channel, { kind: 'reorg', height });
    }
  }

  /** Made anew from the store, where alone they are. */
  #final(wanted: (ending: Ending) => boolean): readonly Channel[] {
    const { host, network, role } = this.#options;
    return readChannels(host.store, role).flatMap(kept => {
      const { ending, terms } = kept.record ?? {};
      if (ending === undefined || terms === undefined || !wanted(ending)) return [];
      return this.#live.has(toHex(channelId(network, terms.outpoint))) ? [] : [this.#make(kept)];
    });
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

  #make({ record, best }: KeptChannel): Channel {
    assert(record !== undefined && best !== undefined, 'the records of a channel can be read');
    return new Channel(this.#options, record, best);
  }
}
