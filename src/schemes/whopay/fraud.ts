import { equalBytes } from '../../base/bytes.ts';
import { fixedBytes, u64 } from '../../base/struct.ts';
import { type CheatProof, unproven, type Verdict } from '../../payment/proof.ts';
import { publicKeyBytes, statement } from '../../payment/statement.ts';
import {
  type Binding,
  binding,
  claim,
  coin,
  type Order,
  order,
  orderKind,
  type Step,
  schemeName,
  step,
} from './messages.ts';
import { isGenuine, isOrdered, isSameOrder } from './steps.ts';

/** A proof, and whose account it is taken from where that is known. */
export interface Fraud {
  readonly proof: CheatProof;
  readonly account: Uint8Array | undefined;
}

/** The broker's word that an owner, asked by whose order it bound a coin to another, has shown none. */
export const unanswered = statement('whopay unanswered', {
  coinKey: fixedBytes(publicKeyBytes),
  askedSeconds: u64,
});

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
      account: depositorOf(one.order, other.order),
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
  };
}

/** True when the owner signed the second's binding although, by the first, nobody had ordered it so. */
export function isUnjustified(first: Step, second: Step): boolean {
  const [a, b] = [first.binding, second.binding];
  if (!binding.isBy(b.coinKey, b)) return false;
  const afterDeposit = first.order.kind === orderKind.deposit && b.sequence > a.sequence;
  const besideBroker =
    a.sequence === b.sequence && !equalBytes(a.holder, b.holder) && !binding.isBy(a.coinKey, a);
  return afterDeposit || besideBroker;
}

/** @param word the broker's, that the owner has shown nothing. */
export function unansweredProof(
  claimed: Uint8Array,
  broker: Uint8Array,
  coinBytes: Uint8Array,
  [first, second]: readonly [Step, Step],
  word: Uint8Array,
): CheatProof {
  const parts = [claimed, broker, coinBytes, step.encode(first), step.encode(second), word];
  return { scheme: schemeName, cheat: 'unanswered', parts };
}

/** Who is guilty, if the proof holds. */
export function judge({ cheat, parts }: CheatProof): Verdict {
  if (cheat === 'double-spend' && parts.length === 2) return judgeHolder(parts);
  if (cheat === 'double-binding' && parts.length === 3) return judgeOwner(parts);
  if (cheat === 'unanswered' && parts.length === 6) return judgeSilence(parts);
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

function judgeSilence([claimed, broker, coinBytes, one, other, said]: readonly Uint8Array[]): Verdict {
  const [made, sold, word] = [claim.decode(claimed), coin.decode(coinBytes), unanswered.decode(said)];
  const [first, second] = [step.decode(one), step.decode(other)];
  const holds =
    made !== undefined &&
    sold !== undefined &&
    word !== undefined &&
    first !== undefined &&
    second !== undefined &&
    claim.isBy(made.account, made) &&
    unanswered.isBy(broker, word) &&
    [sold.coinKey, word.coinKey].every(key => equalBytes(key, made.coinKey)) &&
    isGenuine(sold, first, broker) &&
    isGenuine(sold, second, broker) &&
    isUnjustified(first, second);
  if (!holds) return unproven('the two steps do not contradict each other');
  return { guilty: made.account, role: 'owner', what: 'bound a coin that its holder had not given away' };
}

/** Whoever handed in a coin that it also spent is known by the account. */
function depositorOf(...orders: readonly Order[]): Uint8Array | undefined {
  return orders.find(({ kind }) => kind === orderKind.deposit)?.said.next;
}
