import { equalBytes, toHex } from '../../base/bytes.ts';
import { coinMsatMax, coinStepsMax } from '../../base/limits.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import {
  type AssignedCoin,
  assignedCoin,
  type CoinPath,
  type Handover,
  handover,
  layersMax,
  type RawCoin,
  rawCoin,
} from './messages.ts';

/** What became of a coin from one position to a later one: an assignment, and hand-overs on top of it. */
export function pathOf(assigned: AssignedCoin): CoinPath {
  return { assigned, layers: [] };
}

export function serialOf(path: CoinPath): string {
  return toHex(path.assigned.coin.serial);
}

export function startOf(path: CoinPath): bigint {
  return path.assigned.position;
}

/** The position at which the path ends. */
export function endOf(path: CoinPath): bigint {
  return path.assigned.position + BigInt(path.layers.length);
}

/** Who held the coin there; undefined for positions that the path does not reach. */
export function holderAt(path: CoinPath, position: bigint): Uint8Array | undefined {
  const at = Number(position - path.assigned.position);
  return at === 0 ? path.assigned.holder : path.layers[at - 1]?.next;
}

export function holderOf(path: CoinPath): Uint8Array {
  return path.layers.at(-1)?.next ?? path.assigned.holder;
}

/** The hand-over from that position to the next, as it was signed. */
export function handoverAt(path: CoinPath, position: bigint): Handover | undefined {
  const layer = path.layers[Number(position - path.assigned.position)];
  return layer === undefined ? undefined : { serial: path.assigned.coin.serial, position, ...layer };
}

/** The path one position further. `holder` signs, and must be who holds the coin. */
export function handedOver(path: CoinPath, holder: SigningKey, next: Uint8Array): CoinPath {
  const { signature } = handover.sign(holder, {
    serial: path.assigned.coin.serial,
    position: endOf(path),
    next,
  });
  return { assigned: path.assigned, layers: [...path.layers, { next, signature }] };
}

/**
 * Signed by the coin's owner, or for it by the broker; and within bounds, since whoever goes on from there counts further.
 * @param known the coin as it was found good before: the broker's signature of that is not verified again.
 */
export function isGenuineAssignment(assigned: AssignedCoin, broker: Uint8Array, known?: RawCoin): boolean {
  return (
    assigned.position > 0n &&
    assigned.position <= coinStepsMax &&
    assigned.coin.value <= coinMsatMax &&
    ((known !== undefined && isSameCoin(known, assigned.coin)) || rawCoin.isBy(broker, assigned.coin)) &&
    (assignedCoin.isBy(assigned.coin.owner, assigned) || assignedCoin.isBy(broker, assigned))
  );
}

/**
 * Every signature in it is good: the coin is the broker's, and each holder has handed it on itself.
 * @param known the coin, where it was found good before.
 * @param handoversMax one more than a payee takes, since its holder may ask for a reassignment.
 */
export function isGenuine(
  path: CoinPath,
  broker: Uint8Array,
  known?: RawCoin,
  handoversMax = layersMax + 1,
): boolean {
  if (path.layers.length > handoversMax || !isGenuineAssignment(path.assigned, broker, known)) return false;
  for (let position = startOf(path); position < endOf(path); position++) {
    const [holder, said] = [holderAt(path, position), handoverAt(path, position)];
    if (holder === undefined || said === undefined || !handover.isBy(holder, said)) return false;
  }
  return true;
}

/** To the last bit of the broker's signature. */
export function isSameCoin(one: RawCoin, other: RawCoin): boolean {
  return equalBytes(rawCoin.encode(one), rawCoin.encode(other));
}

/** True when both tell the same of every position that both reach. */
export function agree(one: CoinPath, other: CoinPath): boolean {
  const first = startOf(one) > startOf(other) ? startOf(one) : startOf(other);
  const last = endOf(one) < endOf(other) ? endOf(one) : endOf(other);
  for (let position = first; position <= last; position++) {
    const [a, b] = [holderAt(one, position), holderAt(other, position)];
    if (a === undefined || b === undefined || !equalBytes(a, b)) return false;
  }
  return true;
}

/** True when the first reaches over all of the second. */
export function covers(one: CoinPath, other: CoinPath): boolean {
  return startOf(one) <= startOf(other) && endOf(one) >= endOf(other);
}

/** True when they cannot both be honest. The broker hands nothing over, so nothing follows a deposit. */
export function contradict(one: CoinPath, other: CoinPath, broker: Uint8Array): boolean {
  const passes = (deposited: CoinPath, later: CoinPath) =>
    equalBytes(holderOf(deposited), broker) && endOf(later) > endOf(deposited);
  return !agree(one, other) || passes(one, other) || passes(other, one);
}

/** The first path, gone on with what the second tells beyond its end. They agree, and the second starts within the first. */
export function extended(path: CoinPath, further: CoinPath): CoinPath {
  const known = Number(endOf(path) - startOf(further));
  return known >= further.layers.length
    ? path
    : { ...path, layers: [...path.layers, ...further.layers.slice(known)] };
}

/** The path from `position` on; `owner` signs what it starts with. */
export function tailOf(path: CoinPath, position: bigint, owner: SigningKey): CoinPath {
  const holder = holderAt(path, position);
  if (holder === undefined || position === startOf(path)) return path;
  const { coin } = path.assigned;
  return {
    assigned: assignedCoin.sign(owner, { coin, holder, position }),
    layers: path.layers.slice(
      Number(position - startOf(path)),
      Number(position - startOf(path)) + layersMax + 1,
    ),
  };
}

/** A name for the coin's state: what is kept of it is kept once for each position. */
export function placeOf(path: CoinPath): string {
  return `${serialOf(path)}-${endOf(path).toString(16).padStart(16, '0')}`;
}
