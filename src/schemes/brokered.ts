import type { BrokeredScheme } from '../payment/brokered.ts';
import { payword } from './payword/index.ts';
import { ppay } from './ppay/index.ts';
import { whopay } from './whopay/index.ts';

/** All payment systems that a broker stands behind. */
export const brokeredSchemes: readonly BrokeredScheme[] = [payword, ppay, whopay];

/** Undefined: there is none of that name, or it has no broker. */
export function brokeredScheme(name: string): BrokeredScheme | undefined {
  return brokeredSchemes.find(scheme => scheme.name === name);
}
