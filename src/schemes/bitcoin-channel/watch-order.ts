import { Transaction } from 'bitcoinjs-lib';
import { countedList, fixedBytes, sizedBytes, struct, u8, u16, u32, u64 } from '../../base/struct.ts';
import { regtestRules } from '../../bitcoin/channel-rules.ts';
import { type ChannelTerms, contractOutputScript } from '../../bitcoin/contract-tx.ts';
import type { KeyPair } from '../../bitcoin/keys.ts';
import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import type { Outpoint } from '../../ports.ts';
import { type BestPayment, type ChannelRecord, type Records, readChannels, roles } from './channel-record.ts';
import { refundOf, settlementOf } from './own-transactions.ts';
import { channelKeyRoot, readSeed } from './role-keys.ts';

/**
 * What a watchtower is given of a channel: one complete transaction. Whoever has it learns the channel's sums; it can do
 * nothing but pay both sides what they agreed on.
 */
export interface WatchOrder {
  readonly how: 'payment' | 'refund';
  /** The contract that it spends. */
  readonly outpoint: Outpoint;
  readonly contractScript: Uint8Array;
  readonly capacitySat: bigint;
  /** What the payee gets; of two payments on a channel the higher counts. */
  readonly paidSat: bigint;
  /** The contract is in no block below. */
  readonly fromHeight: number;
  /** From here on the tower acts: the channel's owner would have done so by then. */
  readonly actHeight: number;
  readonly refundHeight: number;
  readonly transaction: Uint8Array;
}

const orderStruct = struct({
  how: u8,
  txid: fixedBytes(32),
  index: u32,
  contractScript: sizedBytes(u8),
  capacitySat: u64,
  paidSat: u64,
  fromHeight: u32,
  actHeight: u32,
  refundHeight: u32,
  transaction: sizedBytes(u16),
});
const ordersStruct = struct({ version: u8, orders: countedList(u32, orderStruct) });
const ordersVersion = 1;

/**
 * Orders for all channels in a store that are not over: at the payee its best payment, due when it would call a person;
 * at the payer its refund, due at T.
 */
export function watchOrders(records: Records, rules = regtestRules): readonly WatchOrder[] {
  return roles.flatMap(role => {
    const seed = readSeed(records, role);
    if (seed === undefined) return [];
    const keyRoot = channelKeyRoot(seed, role);
    return readChannels(records, role).flatMap(({ record, best }) => {
      if (record === undefined || best === undefined || record.ending !== undefined) return [];
      const key = keyRoot.named(record.keyName).keyPair();
      const order = role === 'payee' ? paymentOrder(record, best, key) : refundOrder(record, key);
      if (order === undefined) return [];
      const fromHeight = Math.max(0, record.openedHeight - rules.finalBlocks);
      const { refundHeight } = record.terms;
      const actHeight = role === 'payee' ? refundHeight - rules.alarmMarginBlocks : refundHeight;
      return [{ ...factsOf(record.terms), ...order, fromHeight, actHeight }];
    });
  });
}

export function encodeWatchOrders(orders: readonly WatchOrder[]): Uint8Array {
  return ordersStruct.encode({
    version: ordersVersion,
    orders: orders.map(order => ({
      ...order,
      ...order.outpoint,
      how: order.how === 'payment' ? 1 : 2,
    })),
  });
}

/** Undefined for bytes that are none, or of which a transaction spends another contract than it says. */
export function decodeWatchOrders(bytes: Uint8Array): readonly WatchOrder[] | undefined {
  const read = ordersStruct.decode(bytes);
  if (read === undefined || read.version !== ordersVersion) return undefined;
  const orders = read.orders.map(({ how, txid, index, ...rest }) => ({
    ...rest,
    how: how === 1 ? ('payment' as const) : ('refund' as const),
    outpoint: { txid, index },
  }));
  return orders.every(spendsItsContract) ? orders : undefined;
}

function spendsItsContract({ transaction, outpoint }: WatchOrder): boolean {
  try {
    const [input, ...others] = Transaction.fromBuffer(transaction).ins;
    const same = Buffer.compare(input.hash, outpoint.txid) === 0 && input.index === outpoint.index;
    return same && others.length === 0;
  } catch {
    return false;
  }
}

type OwnOrder = Pick<WatchOrder, 'how' | 'paidSat' | 'transaction'>;

function paymentOrder(record: ChannelRecord, best: BestPayment, key: KeyPair): OwnOrder | undefined {
  const settlement = settlementOf(best, key, new PaymentTemplate(record.terms));
  return settlement && { how: 'payment', paidSat: best.paidSat, transaction: settlement.toBuffer() };
}

/** A contract of which the refund is not kept was never sent. */
function refundOrder(record: ChannelRecord, key: KeyPair): OwnOrder | undefined {
  if (!record.stored) return undefined;
  const refund = refundOf(record, key, new RefundTemplate(record.terms));
  return { how: 'refund', paidSat: 0n, transaction: refund.toBuffer() };
}

function factsOf(terms: ChannelTerms): Omit<WatchOrder, keyof OwnOrder | 'fromHeight' | 'actHeight'> {
  const { outpoint, capacitySat, refundHeight } = terms;
  return { outpoint, capacitySat, refundHeight, contractScript: contractOutputScript(terms) };
}
