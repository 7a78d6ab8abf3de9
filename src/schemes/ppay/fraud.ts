import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import type { Spends } from '../../payment/coins/damages.ts';
import type { CheatProof, Verdict } from '../../payment/proof.ts';
import { endOf, handoverAt, holderAt, startOf } from './coin-path.ts';
import { assignedCoin, type CoinPath, handover, rawCoin, schemeName } from './messages.ts';

/** What a party has signed twice. */
export type Cheat = 'double-handover' | 'double-assignment';

/** Two statements of one key that cannot both be honest. Nobody but the holder of that key can have made them. */
export interface Fraud {
  readonly cheat: Cheat;
  readonly guilty: Uint8Array;
  readonly parts: readonly [Uint8Array, Uint8Array];
  /** Where the coin was, and to whom it went from there by either. */
  readonly position: bigint;
  readonly to: readonly [Uint8Array, Uint8Array];
}

/**
 * What proves that somebody cheated, in two genuine paths of one coin: a holder that handed it to two, or an owner (or a
 * broker) that assigned one position to two. Undefined: the paths contradict each other by no one key's statements.
 */
export function fraudIn(one: CoinPath, other: CoinPath, broker: Uint8Array): Fraud | undefined {
  if (!equalBytes(one.assigned.coin.serial, other.assigned.coin.serial)) return undefined;
  return doubleHandover(one, other) ?? doubleAssignment(one, other, broker);
}

function doubleHandover(one: CoinPath, other: CoinPath): Fraud | undefined {
  for (let position = startOf(one); position < endOf(one); position++) {
    const [a, b] = [handoverAt(one, position), handoverAt(other, position)];
    const [by, byOther] = [holderAt(one, position), holderAt(other, position)];
    if (a === undefined || b === undefined || by === undefined || byOther === undefined) continue;
    if (!equalBytes(by, byOther) || equalBytes(a.next, b.next)) continue;
    const parts = [handover.encode(a), handover.encode(b)] as const;
    return { cheat: 'double-handover', guilty: by, parts, position, to: [a.next, b.next] };
  }
  return undefined;
}

function doubleAssignment(one: CoinPath, other: CoinPath, broker: Uint8Array): Fraud | undefined {
  const [a, b] = [one.assigned, other.assigned];
  if (a.position !== b.position || equalBytes(a.holder, b.holder)) return undefined;
  for (const signer of [a.coin.owner, broker]) {
    if (assignedCoin.isBy(signer, a) && assignedCoin.isBy(signer, b))
      return {
        cheat: 'double-assignment',
        guilty: signer,
        parts: [assignedCoin.encode(a), assignedCoin.encode(b)],
        position: a.position,
        to: [a.holder, b.holder],
      };
  }
  return undefined;
}

/** True when the proof holds by itself: `guilty` has signed both parts, and they contradict each other. */
export function isProven({
  cheat,
  guilty,
  parts: [one, other],
}: Pick<Fraud, 'cheat' | 'guilty' | 'parts'>): boolean {
  if (cheat === 'double-handover') {
    const [a, b] = [handover.decode(one), handover.decode(other)];
    if (a === undefined || b === undefined) return false;
    const samePlace = equalBytes(a.serial, b.serial) && a.position === b.position;
    return samePlace && !equalBytes(a.next, b.next) && handover.isBy(guilty, a) && handover.isBy(guilty, b);
  }
  const [a, b] = [assignedCoin.decode(one), assignedCoin.decode(other)];
  if (a === undefined || b === undefined) return false;
  const samePlace = equalBytes(a.coin.serial, b.coin.serial) && a.position === b.position;
  return (
    samePlace &&
    equalBytes(rawCoin.encode(a.coin), rawCoin.encode(b.coin)) &&
    !equalBytes(a.holder, b.holder) &&
    assignedCoin.isBy(guilty, a) &&
    assignedCoin.isBy(guilty, b)
  );
}

/** What of it its guilty pays for. */
export function spendsIn({ cheat, guilty, position, to }: Fraud): Spends {
  return { fork: concatBytes(utf8(`${cheat} ${position} `), guilty), said: to };
}

export function proofOf({ cheat, guilty, parts }: Fraud): CheatProof {
  return { scheme: schemeName, cheat, parts: [guilty, ...parts] };
}

/** Who is guilty, if the proof holds. */
export function judge(proof: CheatProof): Verdict {
  const { cheat, parts } = proof;
  const [guilty, one, other] = parts;
  if ((cheat !== 'double-handover' && cheat !== 'double-assignment') || parts.length !== 3) return unproven;
  if (!isProven({ cheat, guilty, parts: [one, other] })) return unproven;
  if (cheat === 'double-handover')
    return { guilty, role: 'holder', what: 'handed one coin to two, or spent it and handed it in' };
  const owner = assignedCoin.decode(one)?.coin.owner;
  const role = owner !== undefined && equalBytes(owner, guilty) ? 'owner' : 'broker';
  return { guilty, role, what: 'assigned one coin to two' };
}

const unproven: Verdict = { guilty: undefined, why: 'the two statements do not contradict each other' };
