import type { PaymentScheme } from '../../payment/scheme.ts';
import { type ChannelDesk, makeDesk } from './desk.ts';
import { schemeId } from './messages.ts';
import type { BitcoinChannelOptions } from './options.ts';
import { ChannelPayee } from './payee.ts';
import { ChannelPayer } from './payer.ts';
import { setUpRole } from './role-setup.ts';

export {
  type Backup,
  backupLoss,
  channelsIn,
  decodeBackup,
  encodeBackup,
  makeBackup,
  writesOf,
} from './backup.ts';
export type { ChannelDesk, ChannelRow } from './desk.ts';
export { type Ledger, readLedger } from './ledger.ts';
export { type ChainFact, type ContractFacts, type ContractSums, partyProblems } from './ledger-check.ts';
export { contractName, type LedgerRow } from './ledger-row.ts';
export { type BitcoinChannelOptions, channelVariant, channelVariants } from './options.ts';
export { hasWallet, newWallet, watchedScripts } from './owner-wallet.ts';
export { type Redeemable, redeemable } from './redeemable.ts';
export { decodeWatchOrders, encodeWatchOrders, type WatchOrder, watchOrders } from './watch-order.ts';
export { type TowerNews, type WatchRow, Watchtower } from './watchtower.ts';

/** One-way payment channels on Bitcoin: a contract, a refund locked until T, and payments that only grow. */
export interface BitcoinChannelScheme extends PaymentScheme {
  readonly desk: ChannelDesk;
}

/** Payments over channels on a private Bitcoin chain; keys and channels are kept in the host's store. */
export function bitcoinChannel(options: BitcoinChannelOptions): BitcoinChannelScheme {
  let payer:
    | { readonly side: ChannelPayer; readonly wallet: ReturnType<typeof setUpRole>['wallet'] }
    | undefined;
  let payee:
    | { readonly side: ChannelPayee; readonly wallet: ReturnType<typeof setUpRole>['wallet'] }
    | undefined;
  return {
    id: schemeId,
    name: 'bitcoin-channel',
    payee(host, signer) {
      const setup = setUpRole('payee', options, host);
      payee = { side: new ChannelPayee(host, signer, setup), wallet: setup.wallet };
      return payee.side;
    },
    payer(host) {
      const setup = setUpRole('payer', options, host);
      payer = { side: new ChannelPayer(host, setup), wallet: setup.wallet };
      return payer.side;
    },
    desk: makeDesk(options.network, () => ({ payer, payee })),
  };
}
