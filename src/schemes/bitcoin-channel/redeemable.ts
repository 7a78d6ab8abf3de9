import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import type { StoreWrite } from '../../ports.ts';
import { channelWrite, type Records, readChannels } from './channel-record.ts';
import { type LedgerRow, ledgerRow } from './ledger-row.ts';
import { channelId, type Network } from './messages.ts';
import { settlementOf } from './own-transactions.ts';
import { channelKeyRoot, readSeed } from './role-keys.ts';

/** What was earned on a channel and is not settled, as its records alone tell. */
export interface Redeemable {
  readonly row: LedgerRow;
  /** The best payment, complete with both signatures. */
  readonly settlement: Uint8Array;
  readonly vsize: bigint;
  /** To be stored before it is offered: the payee then takes no more on this channel. */
  readonly closing: StoreWrite;
}

/** All channels of a payee in a store that hold a payment and are not over, the next to end first. */
export function redeemable(records: Records, network: Network): readonly Redeemable[] {
  const seed = readSeed(records, 'payee');
  if (seed === undefined) return [];
  const keyRoot = channelKeyRoot(seed, 'payee');
  const found = readChannels(records, 'payee').flatMap(({ record, best }): Redeemable[] => {
    if (record === undefined || best === undefined || record.ending !== undefined) return [];
    const keys = keyRoot.named(record.keyName).keyPair();
    const settlement = settlementOf(best, keys, new PaymentTemplate(record.terms));
    if (settlement === undefined) return [];
    const id = channelId(network, record.terms.outpoint);
    return [
      {
        row: ledgerRow('payee', network, record, best),
        settlement: settlement.toBuffer(),
        vsize: BigInt(settlement.virtualSize()),
        closing: channelWrite('payee', id, { ...record, closeAsked: true }),
      },
    ];
  });
  return found.sort((a, b) => a.row.refundHeight - b.row.refundHeight);
}
