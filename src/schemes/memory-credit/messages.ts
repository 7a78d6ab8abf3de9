import { concatBytes, utf8 } from '../../base/bytes.ts';
import { fixedBytes, struct, u8, u64 } from '../../base/struct.ts';

/** First byte of every payment and target of this scheme. */
export const schemeId = 127;

/** What a payee hands out: a name for what is paid to it under this target. */
export const targetMessage = struct({ scheme: u8, nonce: fixedBytes(16) });

/** A promise of `cumulative` msat in all under `nonce`, signed by the payer's key. */
export const paymentMessage = struct({
  scheme: u8,
  nonce: fixedBytes(16),
  payerKey: fixedBytes(32),
  cumulative: u64,
  signature: fixedBytes(64),
});

/** What the signature covers, apart from every other use of the key. */
export function signedPart(nonce: Uint8Array, cumulative: bigint): Uint8Array {
  return concatBytes(utf8('naulon memory-credit payment'), nonce, utf8(String(cumulative)));
}

/** What both sides keep of one target. */
export const creditRecord = struct({ payerKey: fixedBytes(32), cumulative: u64 });
