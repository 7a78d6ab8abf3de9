import { equalBytes, toHex } from '../../base/bytes.ts';
import { type CheatProof, unproven, type Verdict } from '../../payment/proof.ts';
import {
  type Claim,
  claim,
  type Index,
  index,
  type Touchstone,
  touchstone,
  type Visit,
  visit,
} from './messages.ts';
import { isVisit } from './terms.ts';

const scheme = 'p2p-netpay';

/** A user said of one chain what cannot both be: two vendors of one step, or another vendor before than there was. */
export function forked(stone: Touchstone, a: Visit, b: Visit): CheatProof {
  return { scheme, cheat: 'forked', parts: [touchstone.encode(stone), visit.encode(a), visit.encode(b)] };
}

/** A vendor redeems words beyond the Index by which it handed the chain on. */
export function overclaimed(said: Claim, handed: Index): CheatProof {
  return { scheme, cheat: 'overclaimed', parts: [claim.encode(said), index.encode(handed)] };
}

/** A vendor handed one step of a chain on twice. */
export function handedTwice(a: Index, b: Index): CheatProof {
  return { scheme, cheat: 'handed-twice', parts: [index.encode(a), index.encode(b)] };
}

/** True when an honest user can have signed only one of these. */
export function contradict(a: Visit, b: Visit): boolean {
  if (!equalBytes(a.chain, b.chain)) return false;
  if (a.step === b.step) return !equalBytes(a.vendor, b.vendor) || !equalBytes(a.from, b.from);
  const [first, next] = a.step < b.step ? [a, b] : [b, a];
  return next.step === first.step + 1 && !equalBytes(next.from, first.vendor);
}

export function judge({ cheat, parts }: CheatProof): Verdict {
  if (cheat === 'forked') return judgeForked(parts);
  if (cheat === 'overclaimed') return judgeOverclaimed(parts);
  if (cheat === 'handed-twice') return judgeHandedTwice(parts);
  return unproven(`p2p-netpay knows no cheat "${cheat}"`);
}

function judgeForked([first, second, third]: readonly Uint8Array[]): Verdict {
  const [stone, a, b] = [read(touchstone, first), read(visit, second), read(visit, third)];
  if (stone === undefined || a === undefined || b === undefined) return unproven('a part cannot be read');
  if (!isVisit(a, stone) || !isVisit(b, stone)) return unproven("a visit is not signed by the chain's user");
  if (!contradict(a, b)) return unproven('one user may have said both');
  const what = `took chain ${toHex(a.chain)} to two places at once (steps ${a.step} and ${b.step})`;
  return { guilty: stone.user, role: 'payer', what };
}

function judgeOverclaimed([first, second]: readonly Uint8Array[]): Verdict {
  const [said, handed] = [read(claim, first), read(index, second)];
  if (said === undefined || handed === undefined) return unproven('a part cannot be read');
  if (!claim.isBy(said.vendor, said) || !index.isBy(handed.from, handed))
    return unproven('a part is not signed by its vendor');
  if (
    !equalBytes(said.vendor, handed.from) ||
    !equalBytes(said.chain, handed.chain) ||
    said.step !== handed.step
  )
    return unproven('the parts are not of one vendor and one step of a chain');
  if (said.last <= handed.index) return unproven('no more is claimed than was handed on');
  const what = `redeems words up to ${said.last} of chain ${toHex(said.chain)}, which it handed on at ${handed.index}`;
  return { guilty: said.vendor, role: 'vendor', what };
}

function judgeHandedTwice([first, second]: readonly Uint8Array[]): Verdict {
  const [a, b] = [read(index, first), read(index, second)];
  if (a === undefined || b === undefined) return unproven('a part cannot be read');
  if (!index.isBy(a.from, a) || !index.isBy(b.from, b)) return unproven('a part is not signed by its vendor');
  if (!equalBytes(a.from, b.from) || !equalBytes(a.chain, b.chain) || a.step !== b.step)
    return unproven('the parts are not of one vendor and one step of a chain');
  if (equalBytes(a.to, b.to) && a.index === b.index) return unproven('both say the same');
  return {
    guilty: a.from,
    role: 'vendor',
    what: `handed step ${a.step} of chain ${toHex(a.chain)} on twice`,
  };
}

function read<T>(
  kind: { decode(bytes: Uint8Array): T | undefined },
  part: Uint8Array | undefined,
): T | undefined {
  return part === undefined ? undefined : kind.decode(part);
}
