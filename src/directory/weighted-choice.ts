import { assert } from '../base/assert.ts';
import type { Entropy } from '../ports.ts';

/** One of `items`, each as likely as its weight; all weights 0: each as likely as the other. Undefined when there are none. */
export function chooseWeighted<T>(
  items: readonly T[],
  weigh: (item: T) => number,
  entropy: Entropy,
): T | undefined {
  if (items.length === 0) return undefined;
  const weights = items.map(weigh);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return items[randomBelow(items.length, entropy)];
  let left = randomBelow(total, entropy);
  for (const [index, weight] of weights.entries()) {
    if (left < weight) return items[index];
    left -= weight;
  }
  return assert(false, 'a number below the sum falls to an item') as never;
}

/** Uniform in 0 … limit-1, by rejection: a remainder alone would favour small numbers. */
export function randomBelow(limit: number, entropy: Entropy): number {
  assert(Number.isSafeInteger(limit) && limit > 0, 'a positive safe limit');
  const space = 2 ** 48;
  const wide = limit > space;
  const whole = wide ? 2 ** 53 : space;
  const fair = whole - (whole % limit);
  for (;;) {
    const bytes = entropy.bytes(7);
    let value = wide ? bytes[6] & 31 : 0;
    for (let i = 0; i < 6; i++) value = value * 256 + bytes[i];
    if (value < fair) return value % limit;
  }
}
