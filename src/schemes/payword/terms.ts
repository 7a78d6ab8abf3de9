import { concatBytes, equalBytes, toHex } from '../../base/bytes.ts';
import type { Holds } from '../../base/struct.ts';
import { sha256 } from '../../crypto/sha.ts';
import type { Value } from '../../payment/scheme.ts';
import { certificate, commitment, escrow } from './messages.ts';

export type Commitment = Holds<typeof commitment>;
export type Certificate = Holds<typeof certificate>;

/** Least value of one word: a satoshi, the least that can ever be paid out. */
export const unitMsat = 1_000n;
/** Words of one chain, and the furthest that one payment may go: a payee hashes so often for whoever sends it bytes. */
export const countMax = 65_536;
export const jumpMax = 8_192;
/**
 * The furthest that a payee goes in one settlement: so many words, or so many times what was settled of the chain before.
 * Whoever never settled anything can make the broker hash no longer than a signature takes it.
 */
const settleWordsMin = 256;
const settleGrowth = 8;
/** Words that lead nowhere, of one chain: an honest payee hands in none. */
export const badWordsMax = 3;
/** What a chain is good for where the circuit's budget is larger; another follows it. */
export const chunkMsat = 8_192_000n;
/** How long commitments, certificates and escrows hold, and how long before their end a payee takes no more. */
export const holdSeconds = 86_400;
export const marginSeconds = 3_600;
/** A broker that was down lets nothing expire for so long: whoever could not reach it is heard first. */
export const graceSeconds = 600;
/** What a payer asks credit for at a time; its broker may lend it less. */
export const creditMsat = 100_000_000n;
/** What a chain on credit is good for: all that are open share one certificate. */
export const creditChunkMsat = 1_024_000n;

export const noBacking = new Uint8Array(32);

export function hashOf(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

/** Where records of a chain are kept: its payer chooses the root, so it alone names nothing. */
export function chainId({ payer, payee, name, root }: Commitment): string {
  return toHex(sha256(concatBytes(payer, payee, name, root)).subarray(0, 16));
}

export function worthMsat({ unitMsat: unit, count }: Commitment): Value {
  return unit * BigInt(count);
}

/** How far a payee may settle next, when so many words are settled. */
export function settleableTo(settled: number): number {
  return settled + Math.max(settleWordsMin, settleGrowth * settled);
}

export function secondsOf(wallMs: number): number {
  return Math.floor(wallMs / 1_000);
}

/** True when the broker stands behind the commitment by these bytes. */
export function isBacked(
  said: Commitment,
  prepaid: boolean,
  backing: Uint8Array,
  broker: Uint8Array,
): boolean {
  // Smaller words would cost more hashing than they are worth.
  if (said.unitMsat < unitMsat) return false;
  if (prepaid) {
    const locked = escrow.decode(backing);
    if (locked === undefined || !escrow.isBy(broker, locked)) return false;
    return (
      equalBytes(locked.commitment, hashOf(commitment.encode(said))) &&
      equalBytes(said.backing, noBacking) &&
      locked.expiry >= said.expiry
    );
  }
  const granted = certificate.decode(backing);
  if (granted === undefined || !certificate.isBy(broker, granted)) return false;
  return (
    equalBytes(granted.payer, said.payer) &&
    equalBytes(said.backing, hashOf(backing)) &&
    granted.expiry >= said.expiry &&
    worthMsat(said) <= granted.limitMsat
  );
}
