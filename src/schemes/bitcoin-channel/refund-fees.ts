import { Transaction } from 'bitcoinjs-lib';
import { assert } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import { refundsPerChildMax } from '../../base/limits.ts';
import type { SpendableCoin } from '../../bitcoin/spend-coin.ts';
import { sweepTransaction, sweepVsize } from '../../bitcoin/sweep-tx.ts';
import type { Asks } from '../../payment/asks.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import type { Channel } from './channel.ts';
import { childWrite, type FeeChild, readChildren } from './fee-child.ts';
import type { RoleSetup } from './role-setup.ts';

/** Refunds under one child; bitcoind replaces a child only by one of the same parents. */
interface Group {
  readonly channels: readonly Channel[];
  child: FeeChild | undefined;
}

/**
 * Raises the fee of refunds that wait for a block too long. They are not of version 3, so that one child may spend many of
 * them; what returns pays for it, and no other coin is needed.
 */
export class RefundFees<T> {
  readonly #host: SchemeHost;
  readonly #setup: RoleSetup;
  readonly #asks: Asks<T>;
  /** Tells whether the contract waits for a block, where no block has it. */
  readonly #sought: (channel: Channel, found: boolean) => void;
  #waiting = new Set<Channel>();
  /** Channels of which a settlement waits in the mempool. */
  readonly #outbid = new WeakSet<Channel>();
  #groups: Group[] = [];

  constructor(
    host: SchemeHost,
    setup: RoleSetup,
    asks: Asks<T>,
    sought: (channel: Channel, found: boolean) => void,
  ) {
    this.#host = host;
    this.#setup = setup;
    this.#asks = asks;
    this.#sought = sought;
  }

  /** Takes up the children that the store holds, with the refunds that they spend. */
  restore(channels: Iterable<Channel>): void {
    const children = readChildren(this.#host.store, 'payer');
    if (children.size === 0) return;
    const byRefund = new Map([...channels].map(channel => [toHex(channel.refund.txid()), channel]));
    for (const child of children.values()) {
      const { ins } = child.transaction;
      const spent = ins.flatMap(({ hash }) => byRefund.get(toHex(hash)) ?? []);
      assert(spent.length === ins.length, 'a child spends refunds of known channels');
      this.#setup.wallet.adopt(child.transaction);
      this.#groups.push({ channels: spent, child });
    }
  }

  /**
   * Offers its refund to the chain. One that is refused because a settlement waits there is not raised: to outbid that would be to
   * take back what was paid.
   */
  offer(channel: Channel): void {
    const { chain, observer } = this.#host;
    this.#waiting.add(channel);
    const ask = this.#asks.open(answer => {
      if (answer.kind !== 'broadcast') return undefined;
      if (answer.fault === undefined) this.#outbid.delete(channel);
      else {
        observer.log('debug', 'refund_refused', { fault: answer.fault });
        this.#lookWhy(channel);
      }
      return undefined;
    });
    chain.broadcast([channel.own.refund(channel.record).bytes], ask);
  }

  /** If nothing in the mempool spends the contract, it is the fee for which the refund is refused. */
  #lookWhy(channel: Channel): void {
    const { record } = channel;
    const ask = this.#asks.open(answer => {
      if (answer.kind !== 'output' || answer.fault !== undefined) return undefined;
      if (answer.output !== undefined) this.#outbid.delete(channel);
      else this.#outbid.add(channel);
      const { phase, contractHeight } = channel.state;
      // Past blocks, which may have it, are looked through before it is due by more than the records.
      if (contractHeight !== undefined || (phase !== 'refunding' && phase !== 'void')) return undefined;
      const found = answer.output !== undefined || answer.spending === true;
      this.#sought(channel, found);
      // In no block, and not waiting for one: its coins are free. Were it in one all the same, its refund would bring them back.
      if (!found) this.#setup.wallet.release(Transaction.fromBuffer(record.contract));
      return undefined;
    });
    this.#host.chain.output(record.terms.outpoint, ask);
  }

  /** When all channels have had the news of a block. */
  raise(tip: number): void {
    for (const group of this.#groups.filter(each => this.#isOver(each, tip))) this.#forget(group);
    const grouped = new Set(this.#groups.flatMap(({ channels }) => channels));
    const alone = [...this.#waiting].filter(channel => {
      return isRefunding(channel) && !grouped.has(channel) && !this.#outbid.has(channel);
    });
    this.#waiting = new Set();
    const { bumpAfterBlocks } = this.#setup.rules;
    if (alone.some(({ state }) => tip - state.refundHeight >= bumpAfterBlocks))
      this.#groups.push({ channels: alone.slice(0, refundsPerChildMax), child: undefined });
    if (this.#groups.length === 0) return;
    const ask = this.#asks.open(answer => {
      if (answer.kind === 'feerate' && answer.satPerKvb !== undefined)
        for (const group of this.#groups) this.#raise(group, answer.satPerKvb);
      return undefined;
    });
    this.#host.chain.feerate(ask);
  }

  /** All its refunds are final; or one can be in no block, and with it no child that spends it. */
  #isOver({ channels }: Group, tip: number): boolean {
    const endings = channels.map(({ state }) => state.ending);
    if (channels.some(({ state }) => state.phase === 'void')) return true;
    if (endings.some(ending => ending?.how === 'payment')) return true;
    return endings.every(ending => ending && tip - ending.height + 1 >= this.#setup.rules.finalBlocks);
  }

  #forget(group: Group): void {
    this.#groups = this.#groups.filter(each => each !== group);
    if (group.child === undefined) return;
    this.#setup.wallet.release(group.child.transaction);
    group.child = undefined;
    this.#keep(group, () => {});
  }

  /** Makes the record of its child what it is now. */
  #keep({ channels, child }: Group, then: () => void): void {
    const ask = this.#asks.open(() => {
      then();
      return undefined;
    });
    this.#host.store.commit([childWrite('payer', channels[0], child)], ask);
  }

  #raise(group: Group, satPerKvb: bigint): void {
    const { channels, child: before } = group;
    const coins = channels.flatMap(channel => this.#returned(channel) ?? []);
    if (coins.length < channels.length || !channels.some(isRefunding)) return;
    const wanted = feeOf(channels, satPerKvb);
    if (before === undefined ? wanted <= 0n : wanted <= before.feeSat) {
      if (before?.kept) this.#broadcast(group, before.transaction);
      return;
    }
    // A replacement pays for its own bytes on top of what it replaces (BIP125, rule 4).
    const least = before === undefined ? 0n : before.feeSat + sweepVsize(coins.length);
    const feeSat = wanted > least ? wanted : least;
    const { wallet, feeReserveSat } = this.#setup;
    if (feeSat > feeReserveSat - this.#underWaySat(group)) {
      this.#host.observer.log('warn', 'refund_reserve_short');
      return;
    }
    const transaction = sweepTransaction(coins, wallet.address.script, feeSat);
    if (transaction === undefined) return;
    if (before !== undefined) wallet.release(before.transaction);
    wallet.adopt(transaction);
    const child = { transaction, feeSat, kept: false };
    group.child = child;
    this.#host.observer.count('naulon_refund_bumps_total');
    this.#keep(group, () => {
      child.kept = true;
      if (group.child === child) this.#broadcast(group, transaction);
    });
  }

  /** What the children of other refunds pay that wait for a block. */
  #underWaySat(except: Group): bigint {
    let sum = 0n;
    for (const group of this.#groups)
      if (group !== except && group.channels.some(isRefunding)) sum += group.child?.feeSat ?? 0n;
    return sum;
  }

  #returned({ record, refund }: Channel): SpendableCoin | undefined {
    const key = this.#setup.wallet.keyOf(record.terms.refundScript);
    return key && { outpoint: { txid: refund.txid(), index: 0 }, valueSat: refund.valueSat, key };
  }

  #broadcast({ channels }: Group, child: Transaction): void {
    const ask = this.#asks.open(answer => {
      if (answer.kind === 'broadcast' && answer.fault !== undefined)
        this.#host.observer.log('warn', 'refund_child_refused', { fault: answer.fault });
      return undefined;
    });
    const refunds = channels.filter(isRefunding).map(({ own, record }) => own.refund(record).bytes);
    this.#host.chain.broadcast([...refunds, child.toBuffer()], ask);
  }
}

function isRefunding({ state }: Channel): boolean {
  return state.phase === 'refunding';
}

/** What lifts those refunds that still wait and their child to the feerate, all together. */
function feeOf(channels: readonly Channel[], satPerKvb: bigint): bigint {
  const waiting = channels.filter(isRefunding);
  const vsize = waiting.reduce(
    (sum, { own, record }) => sum + own.refund(record).vsize,
    sweepVsize(channels.length),
  );
  const paidSat = waiting.reduce((sum, { record }) => sum + record.terms.feeSat, 0n);
  return (vsize * satPerKvb + 999n) / 1_000n - paidSat;
}
