import { fixedBytes, type Holds, sizedBytes, struct, u8, u16, u32, u64 } from '../../base/struct.ts';
import { endpointField } from '../../payment/endpoint-field.ts';
import { chainNameBytes, wordBytes } from '../../payment/hash-chain.ts';
import { publicKeyBytes, statement } from '../../payment/statement.ts';

/** First byte of every payment and target, and what vendors and broker are asked by. */
export const schemeId = 3;

const key = fixedBytes(publicKeyBytes);
const chain = fixedBytes(chainNameBytes);
const word = fixedBytes(wordBytes);

/** The broker's word for a chain that it has made: its root, and how much it is good for. `user` is a pseudonym. */
export const touchstone = statement('p2p-netpay touchstone', {
  chain,
  user: key,
  root: word,
  unitMsat: u64,
  count: u32,
  /** Seconds since 1970. */
  expiry: u32,
});

/**
 * The user's word for where its chain is spent: at step 0 first, at each later step by taking it from one vendor to
 * another. A user signs one vendor for each step, and takes the chain from whom it said the step before.
 */
export const visit = statement('p2p-netpay visit', {
  chain,
  step: u32,
  vendor: key,
  /** The vendor of the step before; zeros at step 0. */
  from: key,
  nonce: fixedBytes(16),
});

/** The Index: a vendor's word for how far the chain was spent when it handed it on. It takes nothing after that. */
export const index = statement('p2p-netpay index', {
  chain,
  step: u32,
  from: key,
  to: key,
  index: u32,
  word,
});

/** What a vendor redeems of one step: words above `first`, up to `last`. */
export const claim = statement('p2p-netpay claim', {
  chain,
  step: u32,
  vendor: key,
  first: u32,
  last: u32,
  word,
});

/** The next vendor asks the one before for the Index; the user's visit says that it may. */
export const handOverRequest = statement('p2p-netpay hand-over', { visit });
export const handOverReply = struct({ touchstone, index });

export type Touchstone = Holds<typeof touchstone>;
export type Visit = Holds<typeof visit>;
export type Index = Holds<typeof index>;
export type Claim = Holds<typeof claim>;

/** What a payee hands out, signed by its identity. `chain` and `index`: what it holds of the session's chain. */
const targetFields = {
  scheme: u8,
  vendor: key,
  at: endpointField,
  broker: key,
  nonce: fixedBytes(16),
  chain,
  index: u32,
};
export const targetBody = struct(targetFields);
export const targetMessage = struct({ ...targetFields, signature: fixedBytes(64) });
export const targetTag = 'naulon p2p-netpay target';

export const operation = { visit: 1, pay: 2 } as const;

/** Brings a chain to this payee; pays at once where `index` is not 0. `previous`: where the vendor before is asked. */
export const visitMessage = struct({
  scheme: u8,
  operation: u8,
  touchstone,
  visit,
  previous: endpointField,
  index: u32,
  word,
});
export const payMessage = struct({ scheme: u8, operation: u8, index: u32, word });

// What account holders ask of the broker.

export const brokerOperation = { buy: 1, claim: 2 } as const;

export const buyBody = struct({ operation: u8, user: key, count: u32, unitMsat: u64 });
/** The seed is sealed to the pseudonym's key. */
export const boughtReply = struct({ touchstone, seed: sizedBytes(u8, 81) });
/** `from`: the Index that the chain came with; empty at step 0. */
export const claimBody = struct({ operation: u8, claim, visit, from: sizedBytes(u16, 400) });
/** `last` as claimed; less may be credited where words were redeemed before. */
export const claimedReply = struct({ last: u32, creditedMsat: u64 });
