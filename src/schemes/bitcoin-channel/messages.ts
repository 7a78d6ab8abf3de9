import { createHash } from 'node:crypto';
import { concatBytes, utf8 } from '../../base/bytes.ts';
import { fixedBytes, type Holds, sizedBytes, struct, u8, u32, u64 } from '../../base/struct.ts';
import type { ContractVariant } from '../../bitcoin/contract-tx.ts';
import { outpointBytes } from '../../bitcoin/outpoint.ts';
import type { Outpoint } from '../../ports.ts';

/**
 * The conversation, one payment up and one target down at a time:
 *
 *     OFFER    <- target    terms, a fresh payee key, signed by the relay's identity
 *     OPEN     -> payment   the contract's outpoint and terms, not yet broadcast
 *     ACCEPTED <- target    the payee's signature on the refund (none in the cltv variant)
 *     FUNDED   -> payment   the contract has its confirmations
 *     STATUS   <- target    the cumulative amount that the payee holds
 *     PAY      -> payment   a higher cumulative amount and its signature; answered by STATUS
 *     CLOSE    -> payment   the last amount and its signature; answered by CLOSING
 *     CLAIM    -> payment   in place of OPEN and FUNDED: an open channel goes on in a new session
 */
export const schemeId = 1;
const wireVersion = 1;

/** Second byte of a payment. */
export const paymentOp = { open: 1, funded: 2, claim: 3, pay: 4, close: 5 } as const;
/** Second byte of a target. */
export const targetOp = { offer: 1, accepted: 2, status: 3, closing: 4 } as const;

export const networkByte = { regtest: 0 } as const;
export type Network = keyof typeof networkByte;

const channelIdBytes = 8;
const signature = fixedBytes(64);
const publicKey = fixedBytes(33);
const channel = fixedBytes(channelIdBytes);
/** P2WPKH has 22 bytes, P2WSH and P2TR 34. */
const outputScript = sizedBytes(u8, 34);

const offerFields = {
  scheme: u8,
  op: u8,
  version: u8,
  network: u8,
  variant: u8,
  relayId: fixedBytes(32),
  payeeKey: publicKey,
  payoutScript: outputScript,
  /** Names the offer; OPEN and CLAIM answer it. */
  nonce: fixedBytes(16),
  capacitySatMin: u64,
  capacitySatMax: u64,
  minConfirmations: u8,
  /** T lies so many blocks ahead of the payer's tip. */
  refundBlocksMin: u32,
  refundBlocksMax: u32,
  feeSat: u32,
  expiryHeight: u32,
};
const offerBody = struct(offerFields);
export const offerMessage = struct({ ...offerFields, signature });
export type Offer = Holds<typeof offerMessage>;

export const acceptedMessage = struct({
  scheme: u8,
  op: u8,
  channel,
  /** On the refund: 64 bytes, or none where the script needs none. */
  refundSignature: sizedBytes(u8, 64),
});
export const statusMessage = struct({
  scheme: u8,
  op: u8,
  channel,
  paidSat: u64,
  /** The payer's own signature for that amount, in answer to CLAIM: a payer restored from a backup may not remember it. */
  signature: sizedBytes(u8, 64),
});
export type Status = Holds<typeof statusMessage>;
export const closingMessage = struct({ scheme: u8, op: u8, channel, paidSat: u64, txid: fixedBytes(32) });

export const openMessage = struct({
  scheme: u8,
  op: u8,
  nonce: fixedBytes(16),
  txid: fixedBytes(32),
  index: u32,
  capacitySat: u64,
  refundHeight: u32,
  feeSat: u32,
  payerKey: publicKey,
  refundScript: outputScript,
});
export type Open = Holds<typeof openMessage>;
export const fundedMessage = struct({ scheme: u8, op: u8, channel });
export const claimMessage = struct({ scheme: u8, op: u8, channel, signature });
/** PAY and CLOSE alike. 82 bytes. */
export const payMessage = struct({ scheme: u8, op: u8, channel, paidSat: u64, signature });
export type Pay = Holds<typeof payMessage>;

/** What the relay's identity signs; it can be taken for no other message of the network. */
export function offerDigest(offer: Omit<Offer, 'signature'>): Uint8Array {
  return concatBytes(utf8('naulon target v1\0'), offerBody.encode(offer));
}

/** What the payer's channel key signs to go on with a channel in the session that got this offer. */
export function claimDigest(network: Network, outpoint: Outpoint, nonce: Uint8Array): Uint8Array {
  return tagged('claim', Uint8Array.of(networkByte[network]), outpointBytes(outpoint), nonce);
}

/** Short name of a channel on the wire; both sides derive it, so that nobody can choose it. */
export function channelId(network: Network, outpoint: Outpoint): Uint8Array {
  const digest = tagged('channel', Uint8Array.of(networkByte[network]), outpointBytes(outpoint));
  return digest.subarray(0, channelIdBytes).slice();
}

export const offerHead = { scheme: schemeId, op: targetOp.offer, version: wireVersion };

export function isCurrentOffer(offer: Offer): boolean {
  return offer.scheme === schemeId && offer.op === targetOp.offer && offer.version === wireVersion;
}

const variantBytes: Readonly<Record<ContractVariant, number>> = { spillman: 0, cltv: 1 };

export function variantByte(variant: ContractVariant): number {
  return variantBytes[variant];
}

export function variantOf(byte: number): ContractVariant | undefined {
  return byte === 0 ? 'spillman' : byte === 1 ? 'cltv' : undefined;
}

function tagged(tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256').update(`naulon bitcoin-channel ${tag}\0`);
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
