import { concatBytes, toHex } from '../base/bytes.ts';
import type { Outpoint } from '../ports.ts';

/** As serialized in a transaction: 32 bytes of id, then the index in little endian. */
export function outpointBytes({ txid, index }: Outpoint): Uint8Array {
  return concatBytes(
    txid,
    Uint8Array.from({ length: 4 }, (_, i) => (index >>> (8 * i)) & 255),
  );
}

/** A key for maps. */
export function outpointKey({ txid, index }: Outpoint): string {
  return `${toHex(txid)}:${index}`;
}

/** An id as people and bitcoind write it: bytes in reverse, in hex. */
export function txidText(txid: Uint8Array): string {
  return toHex(txid.slice().reverse());
}
