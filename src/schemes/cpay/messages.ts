import { countedList, fixedBytes, type Holds, struct, u8, u16, u32, u64 } from '../../base/struct.ts';
import type { CoinWords } from '../../payment/coins/coin-messages.ts';
import { coinTarget } from '../../payment/coins/coin-target.ts';
import { endpointField } from '../../payment/endpoint-field.ts';
import { publicKeyBytes, statement } from '../../payment/statement.ts';

/**
 * Coins whose every payment a broker assistant authorises. Which peer authorises which coin follows from a ring of hashes.
 *
 *     epoch            by which of the broker's lists of assistants a span of time is
 *     coin             what the broker sells
 *     wish             holder's key: this coin is to be that payee's
 *     authorisation    the holder's assistants: it is, as of this time, and what made it the holder's was as of that time.
 *                      The first of a coin is the broker's own.
 *     release          an assistant: it has not authorised that holding, and leaves it to its successor in the ring
 *
 * A holding is named by coin, holder and the time it began. It is authorised away once; an assistant that does it twice, or
 * after a release, has cheated.
 */
export const schemeId = 6;
export const schemeName = 'cpay';

export const paymentOp = { coins: 1 } as const;

/** First byte of a request to an assistant or the broker. */
export const requestOp = {
  /** Holder to its assistant: authorise this payment. */
  authorise: 1,
  /** Assistant to the one before it: release this holding. */
  release: 2,
  /** Anybody to the broker: by which list is that epoch? */
  epoch: 3,
  /** Holder to the broker: a coin that is authorised to it. */
  deposit: 4,
  /** Assistant to the broker: by whose wish, and on what, it authorised a payment. */
  show: 5,
  /** Account holder to the broker, in an account request: buys coins, or offers to assist. */
  account: 6,
  /** Anybody to the broker: who is on that list? */
  list: 7,
  /** Holder to the broker, where its assistants answer no more: what is left of the coin when it has expired. */
  claim: 8,
  /** Anybody to the broker: who may have assisted that coin in those epochs? */
  history: 9,
} as const;
export const words: CoinWords = { id: schemeId, name: schemeName, account: requestOp.account };
export const accountOp = { buy: 1, assist: 2 } as const;

/** Wall clock time is cut into epochs of this length; the list of assistants changes between them alone. */
export const epochMs = 60_000;
/** What an assistant allows between its clock and a holder's. */
export const clockSkewMs = 600_000;
/** An authorisation that is older is nothing to be paid with any more. */
export const authAgeMsMax = 86_400_000n;
/** How often an assistant offers itself anew, and asks whether it must show the grounds of something. */
export const offerEveryMs = 6 * 3_600_000;
/** Assistants of a coin of Group CPay. */
export const groupSize = 3;
/** Of a coin that its buyer pays with first by its own signature alone; later one assistant authorises its payments. */
export const buyersOwn = 0;
/** Places of signatures that are no assistant's: the buyer's, and the broker's by which it held the coin. */
export const [buyersPlace, brokersPlace] = [254, 255];
export const assistantsMax = 1_000;

const publicKey = fixedBytes(publicKeyBytes);
const guid = fixedBytes(16);
const nonce = fixedBytes(16);

/** 104 bytes, of which a node hears once in each epoch; the list itself it gets when that has changed. */
export const epoch = statement('cpay epoch', {
  number: u32,
  /** The first epoch with this very list, by which the list is named. */
  since: u32,
  /** SHA-256 of the list. */
  digest: fixedBytes(32),
});
export type Epoch = Holds<typeof epoch>;
export const placeBytes = 8;
/** Those that assist, in the order of their places on the ring, which the broker draws when they first join it. */
export const assistantList = struct({
  since: u32,
  assistants: countedList(u16, struct({ key: publicKey, at: endpointField, place: fixedBytes(placeBytes) })),
});
export type AssistantList = Holds<typeof assistantList>;
export type Assistant = AssistantList['assistants'][number];

/**
 * By which lists those epochs went, cut to what decides who assisted that coin, whoever held it; what they say alike is said once.
 * Where each begins is an epoch that went by it.
 */
export const history = statement('cpay history', {
  guid,
  assistants: u8,
  from: u32,
  to: u32,
  lists: countedList(u16, assistantList),
});

/** 96 bytes. */
export const coin = statement('cpay coin', {
  guid,
  value: u64,
  expirySeconds: u32,
  /** Where in the ring the buyer's assistant was: the first bytes of its place. */
  firstAssistant: fixedBytes(3),
  /** How many assistants authorise its payments: 1, or those of a group, or `buyersOwn`. */
  assistants: u8,
});
export type Coin = Holds<typeof coin>;

/** 162 bytes. */
export const wish = statement('cpay wish', { guid, payer: publicKey, payee: publicKey, nonce });
export type Wish = Holds<typeof wish>;

const authFields = {
  guid,
  payer: publicKey,
  payee: publicKey,
  /** When the payer's holding began: the time of the authorisation by which it got the coin. */
  sinceMs: u64,
  timeMs: u64,
  nonce,
};
/** What each assistant signs: 178 bytes with its signature. */
export const authStatement = statement('cpay authorisation', authFields);
export type AuthStatement = Holds<typeof authStatement>;
/** With the signatures of all that authorised it, each with its place among the coin's assistants; or those of buyer and broker. */
export const auth = struct({
  ...authFields,
  signatures: countedList(u8, struct({ place: u8, signature: fixedBytes(64) })),
});
export type Auth = Holds<typeof auth>;

export const release = statement('cpay release', { guid, payer: publicKey, sinceMs: u64 });
export type Release = Holds<typeof release>;

export const target = coinTarget(
  { id: schemeId, name: schemeName },
  {
    brokerKey: publicKey,
    payeeKey: publicKey,
    /** 1: each coin goes to a key of its own that is derived from payeeKey and nonce. */
    anonymous: u8,
    nonce,
  },
);
export const targetMessage = target.message;
export type Target = Omit<Holds<typeof targetMessage>, 'signature'>;

/** 274 bytes, and for each signature its place. */
export const paidCoin = struct({ coin, auth });
export type PaidCoin = Holds<typeof paidCoin>;
export const paymentMessage = struct({ scheme: u8, op: u8, coins: countedList(u8, paidCoin) });

const releases = countedList(u8, struct({ by: publicKey, said: release }));
export const authoriseRequest = struct({
  op: u8,
  held: paidCoin,
  wish,
  /** When the payee is to have it. Proposed by the payer, so that all of a group sign the same. */
  timeMs: u64,
  /** For the broker, which asks nobody: of whoever assisted the payer before. */
  releases,
});
export const releaseRequest = struct({
  op: u8,
  /** What made the payer the holder. */
  held: paidCoin,
  /** One in which the asked assisted the payer, since the holding began. */
  epoch: u32,
});
export const epochRequest = struct({ op: u8, number: u32 });
export const listRequest = struct({ op: u8, since: u32 });
export const historyRequest = struct({ op: u8, guid, assistants: u8, from: u32, to: u32 });
export const depositRequest = struct({ op: u8, account: publicKey, paid: paidCoin });
/** A wish to the broker that nobody authorised. */
export const claimRequest = struct({ op: u8, account: publicKey, paid: paidCoin, wish });
/** What an assistant authorised, by whose wish, what made the payer the coin's holder, and who had left that holding to it. */
export const grant = struct({
  held: paidCoin,
  wish,
  auth: authStatement,
  releases,
});
export type Grant = Holds<typeof grant>;
export const showRequest = struct({ op: u8, grant });

export const buyBody = struct({
  op: u8,
  assistants: u8,
  coins: countedList(u8, struct({ exponent: u8, holder: publicKey })),
});
export const boughtReply = struct({ coins: countedList(u8, paidCoin) });
/** An assistant says where it is asked. */
export const assistBody = struct({ op: u8, at: endpointField });
/** Authorisations of its own that it must show the grounds of. */
export const assistReply = struct({ wanted: countedList(u16, authStatement) });
