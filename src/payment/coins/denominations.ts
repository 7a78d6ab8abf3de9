import { coinMsatMax } from '../../base/limits.ts';
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

/** Coins that are worth just so much, the easiest to spend first. Of a large purse no more is looked at than is taken. */
export type CoinsWorth<C> = (value: Value) => Iterable<C>;

/** These, by what they are worth. */
export function sorted<C extends { readonly value: Value }>(coins: readonly C[]): CoinsWorth<C> {
  return value => coins.filter(coin => coin.value === value);
}

/**
 * Takes what makes up the sum, the largest coins first and among equals those that come first. Since all are worth
 * powers of two, what is missing then cannot be made up by any other choice but one that overpays.
 */
export function chooseCoins<C>(worth: CoinsWorth<C>, { sum, grain }: CoinSum): CoinChoice<C> {
  const coins: C[] = [];
  let missing = sum;
  for (let value = powerBelow(sum); value >= grain && coins.length < coinsPerPaymentMax; value >>= 1n) {
    if (value > missing) continue;
    for (const coin of worth(value)) {
      coins.push(coin);
      missing -= value;
      if (value > missing || coins.length === coinsPerPaymentMax) break;
    }
  }
  return { coins, missing };
}

/** The least coin that is worth as much or more. */
export function leastCovering<C>(worth: CoinsWorth<C>, value: Value): C | undefined {
  const least = powerBelow(value);
  for (let power = least < value ? 2n * least : least; power <= coinMsatMax; power *= 2n)
    for (const coin of worth(power)) return coin;
  return undefined;
}

/** The largest power of two that is as much or less. */
function powerBelow(value: Value): Value {
  return 1n << BigInt(value.toString(2).length - 1);
}
