import { equalBytes, toHex } from '../../base/bytes.ts';
import { reorgBlocksExpected } from '../../base/limits.ts';
import type { ChannelAction } from '../../bitcoin/channel-machine.ts';
import { childFeeSat, childTransaction, childVsize } from '../../bitcoin/child-tx.ts';
import { anchorSat, dustSat } from '../../bitcoin/payment-tx.ts';
import type { SpendableCoin } from '../../bitcoin/spend-coin.ts';
import type { Asks } from '../../payment/asks.ts';
import type { Redeemed, SchemeHost } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
import type { Channel } from './channel.ts';
import { childWrite, type FeeChild, readChildren } from './fee-child.ts';
import type { RoleSetup } from './role-setup.ts';

/** A replacement pays at least this for its own bytes on top of what it replaces (BIP125, rule 4). */
const replaceSatPerVbyte = 1n;
/** Of the feerate: by then it is 65,536 times the day's. */
const doublingsMax = 16;

/** Brings a payee's best payments into a block: offers them at every block, and raises the fee of those that wait. */
export class Settlement {
  readonly #host: SchemeHost;
  readonly #setup: RoleSetup;
  readonly #asks: Asks<Redeemed>;
  readonly #tip: () => number;
  #doubtUntilHeight = 0;
  /** Channels whose settlement has a child, until it is final. */
  readonly #bumped = new Set<Channel>();

  constructor(host: SchemeHost, setup: RoleSetup, asks: Asks<Redeemed>, tip: () => number) {
    this.#host = host;
    this.#setup = setup;
    this.#asks = asks;
    this.#tip = tip;
  }

  /** After a reorganisation deeper than expected, until the chain has grown past where it was. */
  get inDoubt(): boolean {
    return this.#tip() < this.#doubtUntilHeight;
  }

  onReorg(tip: number | undefined, height: number): void {
    if (tip === undefined || tip - height <= reorgBlocksExpected) return;
    this.#doubtUntilHeight = Math.max(this.#doubtUntilHeight, tip + 1);
    this.#host.observer.log('error', 'chain_reorg_deep', { blocks: tip - height });
  }

  /** Takes up the children that the store holds. */
  restore(channels: Iterable<Channel>): void {
    const children = readChildren(this.#host.store, 'payee');
    for (const channel of channels) {
      channel.bump = children.get(toHex(channel.id));
      if (channel.bump === undefined) continue;
      this.#setup.wallet.adopt(channel.bump.transaction);
      this.#bumped.add(channel);
    }
  }

  /**
   * A settlement that is final needs its child no more; if another's child brought it into a block, the coin is free. Nor does one
   * whose contract was taken out of the chain and is not back long after T.
   */
  onBlock(): void {
    const { finalBlocks } = this.#setup.rules;
    for (const channel of this.#bumped) {
      const { contractHeight, ending, refundHeight } = channel.state;
      const since = ending?.height ?? (contractHeight === undefined ? refundHeight : undefined);
      if (since !== undefined && this.#tip() - since + 1 >= finalBlocks) this.forgetChild(channel);
    }
  }

  /** There is nothing left for it to raise. */
  forgetChild(channel: Channel): void {
    if (channel.bump === undefined) return;
    this.#setup.wallet.release(channel.bump.transaction);
    channel.bump = undefined;
    this.#bumped.delete(channel);
    this.#keep(channel, () => {});
  }

  /** Makes the record of its child what it is now. */
  #keep(channel: Channel, then: () => void): void {
    const ask = this.#asks.open(() => {
      then();
      return undefined;
    });
    this.#host.store.commit([childWrite('payee', channel, channel.bump)], ask);
  }

  act(channel: Channel, action: ChannelAction): void {
    if (action === 'broadcastSettlement') this.#broadcast(channel);
    else if (action === 'bumpSettlement') this.#askFeerate(channel);
    else if (action === 'alarm') this.#host.observer.log('error', 'settlement_late');
  }

  #broadcast(channel: Channel): void {
    const settlement = channel.own.settlement(channel.best);
    if (settlement === undefined) return;
    const { bump } = channel;
    const all = bump?.kept ? [settlement.bytes, bump.transaction.toBuffer()] : [settlement.bytes];
    const ask = this.#asks.open(answer => {
      if (answer.kind !== 'broadcast') return undefined;
      if (bump?.kept) bump.refused = answer.fault !== undefined;
      if (answer.fault === undefined) return undefined;
      this.#host.observer.count('naulon_settlement_refused_total');
      this.#host.observer.log('warn', 'settlement_refused', { fault: answer.fault });
      return undefined;
    });
    this.#host.chain.broadcast(all, ask);
  }

  #askFeerate(channel: Channel): void {
    const ask = this.#asks.open(answer => {
      this.#bump(channel, answer);
      return undefined;
    });
    this.#host.chain.feerate(ask);
  }

  #bump(channel: Channel, answer: Answer): void {
    if (answer.kind !== 'feerate' || answer.satPerKvb === undefined) return;
    const { record, best } = channel;
    const settlement = channel.own.settlement(channel.best);
    if (settlement === undefined || !isWaiting(channel)) return;
    const feerate = {
      parentVsize: settlement.vsize,
      parentFeeSat: record.terms.feeSat,
      satPerKvb: answer.satPerKvb << this.#doublings(channel),
      feeSatMin: 0n,
    };
    const before = channel.bump?.feeSat ?? 0n;
    // The payer, or anybody by the anchor, may have a child there already, as large and cheap as can be: only a higher fee ends that.
    const outbidSat = channel.bump?.refused ? 2n * before : 0n;
    const wanted = max(childFeeSat(feerate), outbidSat);
    const isVoid = this.#isVoid(channel, settlement.txid);
    if ((wanted <= before && !isVoid) || wanted <= 0n || best.paidSat === 0n) return;
    const feeSatMin = before === 0n ? 0n : before + childVsize * replaceSatPerVbyte;
    // A child that costs more than the payment is worth is no gain; what paid nothing comes back to its payer at T anyway.
    const worth = best.paidSat;
    const reserve = this.#setup.feeReserveSat - this.#underWaySat(channel);
    const payableSat = min(worth, max(wanted, feeSatMin));
    if (payableSat > reserve) {
      this.#host.observer.log('warn', 'settlement_reserve_short');
      return;
    }

    const { wallet } = this.#setup;
    // A replacement of an earlier child may use that child's coin again.
    if (channel.bump !== undefined) wallet.release(channel.bump.transaction);
    const coin = wallet.reserveCoin(payableSat + dustSat) ?? this.#ownShare(channel, settlement.txid);
    const feeSat = coin === undefined ? 0n : min(payableSat, coin.valueSat + anchorSat - dustSat);
    const anchor = { txid: settlement.txid, index: channel.payments.anchorIndex(best.paidSat) };
    const enough = isVoid ? feeSat > 0n : feeSat > before && feeSat >= feeSatMin;
    const fee = { ...feerate, satPerKvb: 0n, feeSatMin: feeSat };
    const child =
      enough && coin
        ? childTransaction({ ...fee, anchor, coin, changeScript: wallet.address.script })
        : undefined;
    if (child === undefined) {
      if (channel.bump !== undefined) wallet.adopt(channel.bump.transaction);
      this.#host.observer.log('warn', 'settlement_without_reserve');
      return;
    }
    this.#send(channel, { transaction: child, feeSat, kept: false });
  }

  #send(channel: Channel, bump: FeeChild): void {
    this.#setup.wallet.adopt(bump.transaction);
    channel.bump = bump;
    this.#bumped.add(channel);
    this.#host.observer.count('naulon_settlement_bumps_total');
    this.#keep(channel, () => {
      bump.kept = true;
      this.#broadcast(channel);
    });
  }

  /** A reorganisation took the coin that pays for its child: no block takes one whose coin is not there, or waits itself. */
  #isVoid({ bump }: Channel, settlementTxid: Uint8Array): boolean {
    const coin = bump?.transaction.ins[1];
    if (bump === undefined || coin === undefined || equalBytes(coin.hash, settlementTxid)) return false;
    return !this.#setup.wallet.isReservedFor(bump.transaction, { txid: coin.hash, index: coin.index });
  }

  /** What the children of other settlements pay that wait for a block. */
  #underWaySat(except: Channel): bigint {
    let sum = 0n;
    for (const channel of this.#bumped)
      if (channel !== except && isWaiting(channel)) sum += channel.bump?.feeSat ?? 0n;
    return sum;
  }

  /** A process that began late in the channel's life has not waited long itself; T is as near as if it had. */
  #doublings({ state }: Channel): bigint {
    const { bumpAfterBlocks, bumpDoublingBlocks, settleMarginBlocks } = this.#setup.rules;
    const since = Math.min(state.settlingSince ?? this.#tip(), state.refundHeight - settleMarginBlocks);
    const waited = this.#tip() - since - bumpAfterBlocks;
    return BigInt(Math.min(doublingsMax, Math.max(0, Math.floor(waited / bumpDoublingBlocks))));
  }

  /** The settlement's own output, if it is this wallet's, pays when no reserve can. */
  #ownShare(channel: Channel, txid: Uint8Array): SpendableCoin | undefined {
    const key = this.#setup.wallet.keyOf(channel.record.terms.payoutScript);
    const { payeeSat } = channel.payments.shares(channel.best.paidSat);
    if (key === undefined || payeeSat === 0n) return undefined;
    return { outpoint: { txid, index: 0 }, valueSat: payeeSat, key };
  }
}

/** Its settlement can be in the next block: the contract is in one. */
function isWaiting({ state }: Channel): boolean {
  return state.phase === 'closing' && state.contractHeight !== undefined;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
