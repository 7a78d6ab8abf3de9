import type { RelayPrice } from './relay-info.ts';

/**
 * What follows `naulon-price` in descriptors, microdescriptors and consensus entries:
 * msat per 2^20 cells, and the numbers of the payment schemes taken, between commas, dearest wish first.
 */
export function formatPrice(price: RelayPrice): string {
  return `${price.priceMsatPer2Pow20} ${price.paySchemes.join(',')}`.trimEnd();
}

const schemesMax = 16;

export function parsePrice(text: string): RelayPrice | undefined {
  const match = /^(0|[1-9][0-9]{0,19})(?: ([0-9]{1,5}(?:,[0-9]{1,5})*))?$/.exec(text);
  if (match === null) return undefined;
  const priceMsatPer2Pow20 = BigInt(match[1]);
  if (priceMsatPer2Pow20 >= 1n << 64n) return undefined;
  const paySchemes = match[2] === undefined ? [] : match[2].split(',').map(Number);
  if (paySchemes.length > schemesMax || paySchemes.some(id => id > 65535)) return undefined;
  // A price that no scheme can pay would look like a relay that may be used.
  if (priceMsatPer2Pow20 > 0n && paySchemes.length === 0) return undefined;
  return { priceMsatPer2Pow20, paySchemes };
}
