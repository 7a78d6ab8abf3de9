import { assert } from '../../base/assert.ts';
import { channelFeeSatMax, channelFeeSatMin, channelSatMax, channelSatMin } from '../../base/limits.ts';
import { type ChannelRules, regtestRules } from '../../bitcoin/channel-rules.ts';
import type { ContractVariant } from '../../bitcoin/contract-tx.ts';
import type { HdKey } from '../../bitcoin/keys.ts';
import type { Wallet } from '../../bitcoin/wallet.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import type { Role } from './channel-record.ts';
import type { Network } from './messages.ts';
import type { BitcoinChannelOptions } from './options.ts';
import { channelKeyRoot, readSeed, seedWrite, walletOf } from './role-keys.ts';

/** Options with their defaults, and what follows from the seed. */
export interface RoleSetup {
  readonly network: Network;
  readonly variant: ContractVariant;
  readonly rules: ChannelRules;
  readonly wallet: Wallet;
  readonly keyRoot: HdKey;
  readonly payoutScript: Uint8Array | undefined;
  readonly capacitySatMin: bigint;
  readonly capacitySatMax: bigint;
  readonly feeSat: bigint;
  readonly feeReserveSat: bigint;
  readonly reusePaidChannels: boolean;
  /** Records to make durable before anything else: a fresh seed. */
  readonly writes: readonly StoreWrite[];
}

const capacitySatMaxDefault = 100_000_000n;
/** Each child stays below what its channel is worth; this bounds what a wrong feerate can cost in all. */
const feeReserveSatDefault = 1_000_000n;
/** 2 sat for each virtual byte of a payment. */
const feeSatDefault = channelFeeSatMin;

export function setUpRole(role: Role, options: BitcoinChannelOptions, host: SchemeHost): RoleSetup {
  const { seed, writes } = seedOf(role, options, host);
  const setup: RoleSetup = {
    network: options.network,
    variant: options.variant ?? 'spillman',
    rules: { ...regtestRules, ...options.rules },
    wallet: walletOf(seed, role, host.store, options.birthHeight),
    keyRoot: channelKeyRoot(seed, role),
    payoutScript: options.payoutScript,
    capacitySatMin: options.capacitySatMin ?? channelSatMin,
    capacitySatMax: options.capacitySatMax ?? capacitySatMaxDefault,
    feeSat: options.feeSat ?? feeSatDefault,
    feeReserveSat: options.feeReserveSat ?? feeReserveSatDefault,
    reusePaidChannels: options.reusePaidChannels ?? false,
    writes,
  };
  assert(setup.capacitySatMin >= channelSatMin, 'the smallest contract is worth its transactions');
  assert(setup.capacitySatMax <= channelSatMax, 'the largest contract is below 2^53 msat');
  assert(setup.feeSat >= channelFeeSatMin && setup.feeSat <= channelFeeSatMax, 'the fee is within limits');
  return setup;
}

/** The store's seed wins over a fresh one, never over one that the options give. */
function seedOf(
  role: Role,
  options: BitcoinChannelOptions,
  host: SchemeHost,
): { readonly seed: Uint8Array; readonly writes: readonly StoreWrite[] } {
  if (options.seed !== undefined) return { seed: options.seed, writes: [] };
  const kept = readSeed(host.store, role);
  if (kept !== undefined) return { seed: kept, writes: [] };
  const seed = host.entropy.bytes(32);
  return { seed, writes: [seedWrite(role, seed)] };
}
