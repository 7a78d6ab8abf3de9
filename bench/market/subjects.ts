import { brokeredSchemes } from '../../src/schemes/brokered.ts';
import type { MarketOptions } from './market.ts';

/** A payment system in one of its ways of paying. */
export interface SchemeSubject extends Pick<MarketOptions, 'scheme' | 'variant'> {
  readonly name: string;
}

/** All payment systems with a broker, each in all its variants. */
export function schemeSubjects(): SchemeSubject[] {
  return brokeredSchemes.flatMap(scheme =>
    scheme.variants.length === 0
      ? [{ name: scheme.name, scheme }]
      : scheme.variants.map(variant => ({ name: `${scheme.name}, ${variant}`, scheme, variant })),
  );
}
