import { OperatorError } from '../../base/fault.ts';
import type { ChannelRules } from '../../bitcoin/channel-rules.ts';
import type { ContractVariant } from '../../bitcoin/contract-tx.ts';
import type { Network } from './messages.ts';

/** What an operator or a user sets; all but the network has a default. */
export interface BitcoinChannelOptions {
  /** Private test chains alone: the scheme has not been reviewed for money that is worth something. */
  readonly network: Network;
  /** Which contract a payee offers; a payer takes either. */
  readonly variant?: ContractVariant;
  /** 16 to 64 secret bytes of wallet and channel keys; made once and kept in the store when not given. */
  readonly seed?: Uint8Array;
  /** The wallet's coins are in no block below. */
  readonly birthHeight?: number;
  readonly rules?: Partial<ChannelRules>;
  /** Payee: output script that settlements pay; a fresh address of the own wallet for each channel when not given. */
  readonly payoutScript?: Uint8Array;
  /** What one contract may lock up. */
  readonly capacitySatMin?: bigint;
  readonly capacitySatMax?: bigint;
  /** Payee: fee of payments and refund, fixed for a channel's life. */
  readonly feeSat?: bigint;
  /** What children that raise fees may cost, all together, while they wait for a block. */
  readonly feeReserveSat?: bigint;
  /** Payer: goes on with a channel that has paid in an earlier session. It saves transactions and shows the payee that both sessions have one owner. */
  readonly reusePaidChannels?: boolean;
}

export const channelVariants: readonly ContractVariant[] = ['spillman', 'cltv'];

/** The variant of that name, `spillman` when there is none. Throws OperatorError, exit code 2, for any other. */
export function channelVariant(name: string | undefined): ContractVariant {
  const variant = channelVariants.find(each => each === (name ?? 'spillman'));
  if (variant !== undefined) return variant;
  throw new OperatorError(
    'CONFIG_BAD_VALUE',
    `pay.yaml: variant: bitcoin-channel knows ${channelVariants.join(', ')}; not "${name}"`,
    2,
  );
}
