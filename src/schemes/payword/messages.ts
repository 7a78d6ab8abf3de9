import { fixedBytes, sizedBytes, struct, u8, u16, u32, u64 } from '../../base/struct.ts';
import { chainNameBytes, wordBytes } from '../../payment/hash-chain.ts';
import { publicKeyBytes, statement } from '../../payment/statement.ts';

/** First byte of every payment and target, and what the broker is asked by. */
export const schemeId = 2;

const key = fixedBytes(publicKeyBytes);
const name = fixedBytes(chainNameBytes);
const hash = fixedBytes(32);
/** Seconds since 1970. */
const time = u32;

/** What a payee hands out, signed by its identity: whom to commit to, and under which name. */
export const targetBody = struct({ scheme: u8, payee: key, broker: key, name });
export const targetMessage = struct({ scheme: u8, payee: key, broker: key, name, signature: fixedBytes(64) });
export const targetTag = 'naulon payword target';

/** Credit: the broker stands in for what the payer commits to, up to the limit in all. */
export const certificate = statement('payword certificate', {
  payer: key,
  serial: fixedBytes(16),
  limitMsat: u64,
  expiry: time,
});

/** The payer's word for a chain that one payee alone can redeem. `backing` is the certificate's hash, or zeros when prepaid. */
export const commitment = statement('payword commitment', {
  payer: key,
  payee: key,
  name,
  root: fixedBytes(wordBytes),
  unitMsat: u64,
  count: u32,
  expiry: time,
  backing: hash,
});

/** Prepaid: the broker has put aside all that the commitment of this hash may come to. */
export const escrow = statement('payword escrow', { commitment: hash, expiry: time });

export const operation = { open: 1, pay: 2 } as const;

/** Names the chain and pays with it. `backing` is a certificate or an escrow. */
export const openMessage = struct({
  scheme: u8,
  operation: u8,
  prepaid: u8,
  backing: sizedBytes(u16, 300),
  commitment,
  index: u32,
  word: fixedBytes(wordBytes),
});

export const payMessage = struct({ scheme: u8, operation: u8, index: u32, word: fixedBytes(wordBytes) });

// What account holders ask of the broker.

export const brokerOperation = { certify: 1, lock: 2, settle: 3 } as const;

export const certifyBody = struct({ operation: u8, limitMsat: u64 });
export const lockBody = struct({ operation: u8, commitment });
/** `final`: the payee takes nothing more under this commitment, so that what is left of an escrow goes back. */
export const settleBody = struct({
  operation: u8,
  final: u8,
  commitment,
  backing: sizedBytes(u16, 300),
  index: u32,
  word: fixedBytes(wordBytes),
});
/** What the payee's account was given: less than it asked where a certificate was overspent. */
export const settledReply = struct({ index: u32, creditedMsat: u64 });
