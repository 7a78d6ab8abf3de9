import type { Value } from '../scheme.ts';

/** Coins that one payment may consist of: their bytes and signatures must stay few. */
export const coinsPerPaymentMax = 24;
/** Coins in one purchase. */
export const purchaseCoinsMax = 64;
/** A payment is rounded up to so many significant bits, so that few coins make it up: by less than an eighth. */
const significantBits = 4;

/** A sum to be paid in coins. */
export interface CoinSum {
  readonly sum: Value;
  /** The least coin that goes into it: what the sum is a multiple of. */
  readonly grain: Value;
}

/** Coins are worth powers of two, in msat: the exponents that make up `value`, the largest first. */
export function exponentsOf(value: Value): readonly number[] {
  const exponents: number[] = [];
  for (let exponent = 0, rest = value; rest > 0n; exponent++, rest >>= 1n)
    if ((rest & 1n) === 1n) exponents.unshift(exponent);
  return exponents;
}

/** The least sum of few coins that is `value` or more; just `value` where rounding up would go beyond `most`. */
export function coinSum(value: Value, most: Value | undefined): CoinSum | undefined {
  const bits = value.toString(2).length - significantBits;
  const grain = bits <= 0 ? 1n : 1n << BigInt(bits);
  const sum = ((value + grain - 1n) / grain) * grain;
  if (most === undefined || sum <= most) return { sum, grain };
  return exponentsOf(value).length <= coinsPerPaymentMax ? { sum: value, grain: 1n } : undefined;
}

/** What a choice of coins comes to. */
export interface CoinChoice<C> {
  readonly coins: readonly C[];
  /** What is missing, in coins that are not there. */
  readonly missing: Value;
}

/**
 * Takes of `coins` what makes up the sum, the largest first and among equals those that come first. Since all are worth
 * powers of two, what is missing then cannot be made up by any other choice but one that overpays.
 */
export function chooseCoins<C extends { readonly value: Value }>(
  coins: readonly C[],
  { sum, grain }: CoinSum,
): CoinChoice<C> {
  const chosen: C[] = [];
  let missing = sum;
  for (const coin of coins.filter(({ value }) => value >= grain && value <= sum).sort(largestFirst)) {
    if (coin.value > missing || chosen.length === coinsPerPaymentMax) continue;
    chosen.push(coin);
    missing -= coin.value;
  }
  return { coins: chosen, missing };
}

/** The least coin that is worth as much or more. */
export function leastCovering<C extends { readonly value: Value }>(
  coins: readonly C[],
  value: Value,
): C | undefined {
  return coins
    .filter(coin => coin.value >= value)
    .sort(largestFirst)
    .at(-1);
}

function largestFirst(a: { readonly value: Value }, b: { readonly value: Value }): number {
  return a.value < b.value ? 1 : a.value > b.value ? -1 : 0;
}
