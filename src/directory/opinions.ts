/** How the opinions of several authorities become one, without regard to the order in which they came. */

/** The middle one of sorted numbers; of an even count, the lower of both in the middle. */
export function lowMedian(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)];
}

export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/**
 * The item whose key is given most often, of several that with the greatest key; undefined where there are none.
 * @param compare orders keys; as text when left out.
 */
export function mostFrequent<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  compare = (a: string, b: string): number => (a < b ? -1 : 1),
): T | undefined {
  const groups = [...grouped(items, keyOf)];
  groups.sort(([a, ofA], [b, ofB]) => ofB.length - ofA.length || compare(b, a));
  return groups[0]?.[1][0];
}
