/**
 * The rules by which a consensus follows from votes have numbers; authorities use the highest that more than two thirds
 * of the voters know. spec: dir-spec/computing-consensus (flavor-independent, consensus-method)
 */

/** C tor's rules, without anything that it does not know. C tor 0.4.9 knows 32 to 35. */
export const plainMethod = 35;
/** The same with the prices of relays, in consensuses and microdescriptors. Far from C tor's numbers, which count up. */
export const pricedMethod = 1035;

export const consensusMethods = [plainMethod, pricedMethod] as const;
export type ConsensusMethod = (typeof consensusMethods)[number];

/**
 * @param known the methods that each voter knows.
 * @returns undefined when the voters agree on one that is not known here, or on none.
 */
export function agreedMethod(known: readonly (readonly number[])[]): ConsensusMethod | undefined {
  const enough = Math.floor((known.length * 2) / 3);
  const candidates = [...new Set(known.flat())].sort((a, b) => b - a);
  const agreed = candidates.find(method => known.filter(each => each.includes(method)).length > enough);
  return consensusMethods.find(method => method === agreed);
}
