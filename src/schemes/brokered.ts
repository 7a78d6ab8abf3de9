import { OperatorError } from '../base/fault.ts';
import type { BrokeredOptions, BrokeredScheme } from '../payment/brokered.ts';
import type { PaymentScheme } from '../payment/scheme.ts';
import type { Endpoint } from '../ports.ts';
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

/**
 * The scheme of that name for a node. Throws OperatorError, exit code 2, for what pay.yaml lacks or has wrong.
 * @param side the node's account, and where it is asked; there is one when the name is of such a scheme.
 */
export function makeBrokered(
  name: string,
  side: Pick<BrokeredOptions, 'account' | 'self'> | undefined,
  { broker, variant }: BrokeredConfig,
): PaymentScheme {
  const scheme = brokeredScheme(name);
  if (scheme === undefined || side === undefined)
    throw new OperatorError('CONFIG_BAD_VALUE', `pay.yaml: scheme: there is no scheme "${name}"`, 2);
  if (broker === undefined)
    throw new OperatorError('CONFIG_MISSING', `pay.yaml: broker is missing: ${name} is paid through one`, 2);
  if (variant !== undefined && !scheme.variants.includes(variant)) {
    const known = scheme.variants.length === 0 ? 'none' : scheme.variants.join(', ');
    throw new OperatorError('CONFIG_BAD_VALUE', `pay.yaml: variant: ${name} knows ${known}`, 2);
  }
  const { account, self } = side;
  return scheme.node({
    broker: { endpoint: broker.address, key: broker.key },
    account,
    self,
    variant: variant ?? scheme.variants[0],
  });
}
