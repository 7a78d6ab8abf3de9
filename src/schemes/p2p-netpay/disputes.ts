import { equalBytes, toHex } from '../../base/bytes.ts';
import type { CheatProof } from '../../payment/proof.ts';
import { type Claim, type Index, index, type Touchstone, type Visit } from './messages.ts';
import { contradict, forked, handedTwice, overclaimed } from './proofs.ts';

/** What a vendor has claimed of one step of a chain, and was paid for it. */
export interface Segment {
  readonly claim: Claim;
  readonly visit: Visit;
  /** The Index that the chain came with; empty at step 0. */
  readonly from: Uint8Array;
  /** Words above `claim.first`, up to there, that this vendor or another was paid for. */
  readonly taken: number;
  /** Words that this vendor was paid for, whoever paid. */
  readonly paid: number;
}

export function cameWith({ from }: Segment): Index | undefined {
  return from.length === 0 ? undefined : index.decode(from);
}

/** Where vendors handed a chain on, as claims of those after them show; by handedName. */
export function handedIn(segments: readonly Segment[]): ReadonlyMap<string, number> {
  const handed = new Map<string, number>();
  for (const segment of segments) {
    const said = cameWith(segment);
    if (said === undefined) continue;
    const name = handedName(said.step, said.from);
    handed.set(name, Math.min(said.index, handed.get(name) ?? said.index));
  }
  return handed;
}

function handedName(step: number, vendor: Uint8Array): string {
  return `${step}/${toHex(vendor)}`;
}

/** The last word that is the vendor's own: what it gave away by its Index is not, whatever it claims. */
export function endOf({ claim }: Segment, handed: ReadonlyMap<string, number>): number {
  return Math.min(claim.last, handed.get(handedName(claim.step, claim.vendor)) ?? claim.last);
}

/** Words that are the vendor's own and that it was not paid for; below 0: that it was paid for and are not. */
export function shortOf(segment: Segment, handed: ReadonlyMap<string, number>): number {
  return Math.max(0, endOf(segment, handed) - segment.claim.first) - segment.paid;
}

/** What a claim proves beside those of others, as far as an earlier claim of that stay did not. */
export function newProofs(
  stone: Touchstone,
  before: Segment | undefined,
  said: Segment,
  others: readonly Segment[],
): readonly CheatProof[] {
  const found = new Map<string, CheatProof>();
  for (const other of others) {
    const known = before === undefined ? undefined : conflicts(stone, before, other);
    for (const [name, proof] of conflicts(stone, said, other))
      if (known?.has(name) !== true && !found.has(name)) found.set(name, proof);
  }
  return [...found.values()];
}

/** Who has said two things that cannot both be, if two claims show it: one proof against each. */
function conflicts(stone: Touchstone, a: Segment, b: Segment): ReadonlyMap<string, CheatProof> {
  const found = new Map<string, CheatProof>();
  if (contradict(a.visit, b.visit)) found.set('payer', forked(stone, a.visit, b.visit));
  const [toA, toB] = [cameWith(a), cameWith(b)];
  if (toB !== undefined && isBeyond(a.claim, toB)) found.set(`claim ${toB.step}`, overclaimed(a.claim, toB));
  if (toA !== undefined && isBeyond(b.claim, toA)) found.set(`claim ${toA.step}`, overclaimed(b.claim, toA));
  if (toA !== undefined && toB !== undefined && isTwice(toA, toB))
    found.set(`index ${toA.step}`, handedTwice(toA, toB));
  return found;
}

/** What two claims of one vendor prove that tell of two stays in one step. */
export function rivalStays(stone: Touchstone, a: Segment, b: Segment): readonly CheatProof[] {
  const proofs: CheatProof[] = [];
  if (contradict(a.visit, b.visit)) proofs.push(forked(stone, a.visit, b.visit));
  const [toA, toB] = [cameWith(a), cameWith(b)];
  if (toA !== undefined && toB !== undefined && isTwice(toA, toB)) proofs.push(handedTwice(toA, toB));
  return proofs;
}

/** True when both tell of one stay: it came from the same vendor, at the same word. */
export function isSameStay(a: Segment, b: Segment): boolean {
  if (contradict(a.visit, b.visit) || a.claim.first !== b.claim.first) return false;
  const [toA, toB] = [cameWith(a), cameWith(b)];
  if (toA === undefined || toB === undefined) return toA === toB;
  return equalBytes(toA.from, toB.from) && !isTwice(toA, toB);
}

/** Words above `from`, up to `to`, that none of these was paid for. */
export function unpaid(from: number, to: number, segments: readonly Segment[]): number {
  const paid = segments.map(({ claim: { first }, taken }) => [first, taken] as const);
  let [at, words] = [from, 0];
  for (const [first, taken] of paid.sort(([a], [b]) => a - b)) {
    if (first >= to) break;
    if (first > at) words += first - at;
    at = Math.max(at, taken);
  }
  return words + Math.max(0, to - at);
}

function isBeyond(claimed: Claim, handed: Index): boolean {
  return (
    claimed.step === handed.step && equalBytes(claimed.vendor, handed.from) && claimed.last > handed.index
  );
}

function isTwice(a: Index, b: Index): boolean {
  return a.step === b.step && equalBytes(a.from, b.from) && (!equalBytes(a.to, b.to) || a.index !== b.index);
}
