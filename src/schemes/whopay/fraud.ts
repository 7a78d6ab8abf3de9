import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import type { Spends } from '../../payment/coins/damages.ts';
import { type CheatProof, unproven, type Verdict } from '../../payment/proof.ts';
import { type Binding, binding, claim, order, type Step, schemeName } from './messages.ts';
import { isOrdered, isSameOrder } from './steps.ts';

/** A proof, whose account answers for it (of a holder the key alone is known), and where and to whom the coin was given. */
export interface Fraud {
  readonly proof: CheatProof;
  readonly account: Uint8Array | undefined;
  readonly spends: Spends;
}

/**
 * What proves that somebody cheated, in two genuine steps of one coin: a holder that gave two orders, or an owner that
 * bound it to two under one sequence number.
 * @param claimed the coin's claim, by which its owner answers for its key.
 */
export function fraudIn(one: Step, other: Step, claimed: Uint8Array): Fraud | undefined {
  if (!equalBytes(one.binding.coinKey, other.binding.coinKey)) return undefined;
  if (equalBytes(one.order.said.holder, other.order.said.holder)) {
    if (isSameOrder(one.order, other.order)) return undefined;
    const parts = [order.encode(one.order), order.encode(other.order)];
    return {
      proof: { scheme: schemeName, cheat: 'double-spend', parts },
      account: undefined,
      spends: {
        fork: one.order.said.holder,
        said: [one, other].map(({ order: { kind, said } }) => concatBytes(Uint8Array.of(kind), said.next)),
      },
    };
  }
  return doubleBinding(one.binding, other.binding, claimed);
}

/** What proves that an owner bound its coin to two. */
export function doubleBinding(a: Binding, b: Binding, claimed: Uint8Array): Fraud | undefined {
  if (a.sequence !== b.sequence || equalBytes(a.holder, b.holder)) return undefined;
  if (!binding.isBy(a.coinKey, a) || !binding.isBy(b.coinKey, b)) return undefined;
  const parts = [claimed, binding.encode(a), binding.encode(b)];
  return {
    proof: { scheme: schemeName, cheat: 'double-binding', parts },
    account: claim.decode(claimed)?.account,
    spends: { fork: utf8(`binding ${a.sequence}`), said: [a.holder, b.holder] },
  };
}

/** Who is guilty, if the proof holds. */
export function judge({ cheat, parts }: CheatProof): Verdict {
  if (cheat === 'double-spend' && parts.length === 2) return judgeHolder(parts);
  if (cheat === 'double-binding' && parts.length === 3) return judgeOwner(parts);
  return unproven('no such cheat');
}

function judgeHolder(parts: readonly Uint8Array[]): Verdict {
  const [a, b] = parts.map(part => order.decode(part));
  const contradict =
    a !== undefined &&
    b !== undefined &&
    equalBytes(a.said.coinKey, b.said.coinKey) &&
    equalBytes(a.said.holder, b.said.holder) &&
    !isSameOrder(a, b) &&
    isOrdered(a) &&
    isOrdered(b);
  if (!contradict) return unproven('the two orders do not contradict each other');
  return { guilty: a.said.holder, role: 'holder', what: 'gave one coin to two; the key alone is known' };
}

function judgeOwner([claimed, one, other]: readonly Uint8Array[]): Verdict {
  const [made, a, b] = [claim.decode(claimed), binding.decode(one), binding.decode(other)];
  const contradict =
    made !== undefined &&
    a !== undefined &&
    b !== undefined &&
    claim.isBy(made.account, made) &&
    [a, b].every(each => equalBytes(each.coinKey, made.coinKey) && binding.isBy(made.coinKey, each)) &&
    a.sequence === b.sequence &&
    !equalBytes(a.holder, b.holder);
  if (!contradict) return unproven('the two bindings do not contradict each other');
  return { guilty: made.account, role: 'owner', what: 'bound one coin to two' };
}
