import { brokeredSchemes } from '../../src/schemes/brokered.ts';
import type { MarketOptions } from './market.ts';

/** A payment system in one of its ways of paying. */
export interface SchemeSubject extends Pick<MarketOptions, 'scheme' | 'variant'> {
  readonly name: string;
}

export const channelSubject: SchemeSubject = { name: 'bitcoin-channel' };

/** All payment systems, each in all its variants that differ in what parties do: both contracts of a channel are paid alike. */
export function schemeSubjects(): SchemeSubject[] {
  const brokered = brokeredSchemes.flatMap(scheme =>
    scheme.variants.length === 0
      ? [{ name: scheme.name, scheme }]
      : scheme.variants.map(variant => ({ name: `${scheme.name}, ${variant}`, scheme, variant })),
  );
  return [channelSubject, ...brokered];
}
