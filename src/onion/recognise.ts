import { cellPayloadBytes } from '../cell/link-codec.ts';
import { digestOf, readDigest, recognisedOf, setDigest } from '../cell/relay-cell.ts';
import type { RunningDigest } from '../crypto/running-digest.ts';

/**
 * True when a decrypted cell is for the holder of `digest`: its recognised field is zero and the first four bytes of
 * the running digest, with this cell added and its digest field taken as zero, are what it carries. Only then the running digest
 * moves on; otherwise all is as before. The hash is computed for one foreign cell in 65,536.
 * spec: tor-spec/routing-relay-cells
 */
export function recognise(digest: RunningDigest, bytes: Uint8Array, at: number): boolean {
  if (recognisedOf(bytes, at) !== 0) return false;
  const carried = digestOf(bytes, at);
  setDigest(bytes, at, 0);
  const expected = readDigest(digest.tentative(bytes, at, cellPayloadBytes));
  setDigest(bytes, at, carried);
  if (expected !== carried) return false;
  digest.commit();
  return true;
}

/** Adds a cell that we originate (recognised and digest still zero) to the running digest and writes its field. */
export function sealDigest(digest: RunningDigest, bytes: Uint8Array, at: number): void {
  setDigest(bytes, at, 0);
  digest.update(bytes, at, cellPayloadBytes);
  setDigest(bytes, at, readDigest(digest.peek()));
}
