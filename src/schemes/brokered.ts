import { assert } from '../base/assert.ts';
import { OperatorError } from '../base/fault.ts';
import type { BrokeredOptions, BrokeredScheme } from '../payment/brokered.ts';
import type { PaymentScheme } from '../payment/scheme.ts';
import type { Endpoint } from '../ports.ts';
import { channelVariant } from './bitcoin-channel/options.ts';
import { cpay } from './cpay/index.ts';
import { p2pNetpay } from './p2p-netpay/index.ts';
import { payword } from './payword/index.ts';
import { ppay } from './ppay/index.ts';
import { whopay } from './whopay/index.ts';

/** All payment systems that a broker stands behind. */
export const brokeredSchemes: readonly BrokeredScheme[] = [payword, p2pNetpay, ppay, whopay, cpay];

/** Undefined: there is none of that name, or it has no broker. */
export function brokeredScheme(name: string): BrokeredScheme | undefined {
  return brokeredSchemes.find(scheme => scheme.name === name);
}

/** What pay.yaml says of it. */
export interface BrokeredConfig {
  readonly broker?: { readonly address: Endpoint; readonly key: Uint8Array } | undefined;
  readonly variant?: string | undefined;
}

/** A scheme that an operator has chosen, of ours or out of a module. */
export interface ChosenScheme {
  readonly name: string;
  /** Set where a broker stands behind it. */
  readonly brokered?: BrokeredScheme | undefined;
  /** Set for a module's scheme that needs none. */
  readonly brokerless?: PaymentScheme | undefined;
}

/** Before anything is made for them: throws OperatorError, exit code 2, for what pay.yaml lacks or has wrong. */
export function requirePay(chosen: readonly ChosenScheme[], { broker, variant }: BrokeredConfig): void {
  for (const { name, brokered, brokerless } of chosen) {
    if (name === 'bitcoin-channel') channelVariant(variant);
    if (brokered === undefined && brokerless === undefined) continue;
    const variants = brokered?.variants ?? [];
    if (variant !== undefined && !variants.includes(variant)) {
      const known = variants.length === 0 ? 'none' : variants.join(', ');
      throw new OperatorError('CONFIG_BAD_VALUE', `pay.yaml: variant: ${name} knows ${known}`, 2);
    }
    if (brokered !== undefined && broker === undefined)
      throw new OperatorError(
        'CONFIG_MISSING',
        `pay.yaml: broker is missing: ${name} is paid through one`,
        2,
      );
  }
}

/**
 * A chosen scheme for a node, after `requirePay`.
 * @param side the node's account, and where it is asked; there is one where a scheme has a broker.
 */
export function makeChosen(
  { brokered, brokerless }: ChosenScheme,
  side: Pick<BrokeredOptions, 'account' | 'self'> | undefined,
  { broker, variant }: BrokeredConfig,
): PaymentScheme {
  if (brokerless !== undefined) return brokerless;
  assert(brokered !== undefined && side !== undefined, 'a scheme that is made for an account');
  assert(broker !== undefined, 'a scheme whose broker is named');
  const { account, self } = side;
  return brokered.node({
    broker: { endpoint: broker.address, key: broker.key },
    account,
    self,
    variant: variant ?? brokered.variants[0],
  });
}
