import { equalBytes, toHex } from '../../base/bytes.ts';
import { publicKeyBytes } from '../../payment/statement.ts';
import { type Index, index, type Touchstone, touchstone, type Visit, visit } from './messages.ts';

/** Value of one word where payments are small. */
export const unitMsat = 1_000n;
/** Words of one chain, and the furthest that one payment may go: a vendor hashes so often for whoever sends it bytes. */
export const countMax = 65_536;
export const jumpMax = 8_192;
/** Words that a chain is bought with where the circuit's budget is larger. */
export const chunkWords = 8_192;
/** How long a chain is good for; vendors take none in its last hour, so that they can still redeem. */
export const holdSeconds = 86_400;
export const marginSeconds = 3_600;

/** A broker that was down lets nothing expire for so long: whoever could not reach it is heard first. */
export const graceSeconds = 600;

/** Proofs that a broker files of one chain, and segments that it keeps beyond the words that it paid: they are evidence. */
export const proofsMax = 16;
export const sparesMax = 16;

export const nobody = new Uint8Array(publicKeyBytes);

/** A step of a chain, as records are named. */
export function stepId(chain: Uint8Array, step: number): string {
  return `${toHex(chain)}/${step}`;
}

/** The last second at which words of a chain are taken: after that they are redeemed. */
export function lastSecond({ expiry }: Touchstone): number {
  return expiry - marginSeconds;
}

export function secondsOf(wallMs: number): number {
  return Math.floor(wallMs / 1_000);
}

/** True for a chain that this broker has made. */
export function isGenuine(said: Touchstone, broker: Uint8Array): boolean {
  return touchstone.isBy(broker, said) && said.count > 0 && said.count <= countMax && said.unitMsat > 0n;
}

/** True when the chain's user has said so. */
export function isVisit(said: Visit, chain: Touchstone): boolean {
  if (!equalBytes(said.chain, chain.chain) || (said.step === 0) !== equalBytes(said.from, nobody))
    return false;
  return visit.isBy(chain.user, said);
}

/** True for the Index by which the vendor of the step before hands the chain to that visit's vendor. */
export function leadsHere(said: Index, to: Visit): boolean {
  return (
    equalBytes(said.chain, to.chain) &&
    said.step + 1 === to.step &&
    equalBytes(said.from, to.from) &&
    equalBytes(said.to, to.vendor) &&
    index.isBy(said.from, said)
  );
}
