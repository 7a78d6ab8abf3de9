import { digestOf } from '../cell/relay-cell.ts';
import { countForeign, countOwn, gatherForDigest } from '../crypto/kernels/cell-runs.ts';
import type { RunningDigest } from '../crypto/running-digest.ts';

/** Who takes the cells of a run, in their order. */
export interface RunTaker {
  /**
   * These cells are for this hop and vouched for. False: the circuit is over, and nothing more is to be taken.
   */
  own(bytes: Uint8Array, at: number, stride: number, count: number): boolean;
  /** They are for a later hop. False, as above. */
  foreign(bytes: Uint8Array, at: number, stride: number, count: number): boolean;
  /** How many cells one digest may vouch for: behind the last of them, the running digest may be asked for. */
  readonly ownCellsMost: number;
}

/**
 * Hands a run of decrypted cells out by whom they are for. A cell is for the holder of `digest` when its recognised field
 * is zero and the first four bytes of the running digest, with this cell added and its digest field taken as zero, are what it
 * carries; only then the running digest moves on. Of consecutive cells that may be for this hop the last one's digest
 * vouches for all, since it runs over them; if it does not, each is tried alone. False: a taker ended it.
 * spec: tor-spec/routing-relay-cells
 */
export function sortRun(
  digest: RunningDigest,
  bytes: Uint8Array,
  at: number,
  stride: number,
  count: number,
  taker: RunTaker,
): boolean {
  /** Cells ahead that the last one's digest did not vouch for. */
  let alone = 0;
  while (count > 0) {
    const foreign = countForeign(bytes, at, stride, count);
    if (foreign > 0 && !taker.foreign(bytes, at, stride, foreign)) return false;
    at += foreign * stride;
    count -= foreign;
    if (count === 0) return true;
    const most = alone > 0 ? 1 : Math.min(count, taker.ownCellsMost);
    const cells = countOwn(bytes, at, stride, most);
    const own = vouches(digest, bytes, at, stride, cells);
    if (!own && cells > 1) {
      alone = cells;
      continue;
    }
    if (!(own ? taker.own(bytes, at, stride, cells) : taker.foreign(bytes, at, stride, 1))) return false;
    at += cells * stride;
    count -= cells;
    alone = Math.max(alone - 1, 0);
  }
  return true;
}

/** Whether the digest that the last cell carries is that of the whole run; if so, the running digest moves on. */
function vouches(
  digest: RunningDigest,
  bytes: Uint8Array,
  at: number,
  stride: number,
  count: number,
): boolean {
  const gathered = gatherForDigest(bytes, at, stride, count);
  return digest.addIf(gathered, digestOf(bytes, at + (count - 1) * stride));
}
