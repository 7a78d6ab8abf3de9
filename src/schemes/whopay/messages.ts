import { countedList, fixedBytes, type Holds, struct, u8, u16, u32, u64 } from '../../base/struct.ts';
import type { CoinWords } from '../../payment/coins/coin-messages.ts';
import { coinTarget } from '../../payment/coins/coin-target.ts';
import { endpointField } from '../../payment/endpoint-field.ts';
import { publicKeyBytes, statement } from '../../payment/statement.ts';

/**
 * Coins that are public keys, held under keys that are used once.
 *
 *     claim      buyer -> broker   this key is a coin of mine
 *     coin       broker's word: what the key is worth, and until when
 *     binding    the coin's key, or for it the broker: who holds it now, by sequence number and until when
 *     order      holder's key: the coin goes to the next holder's key (a transfer, or a renewal to one of its own),
 *                or to an account at the broker (a deposit)
 *
 * Where bindings are listed, a payee takes none that is not on the public list, which has one under each number.
 *
 * A holder's key signs one order in its life. Whoever signs two has cheated, and only the key is known by it.
 */
export const schemeId = 5;
export const schemeName = 'whopay';

export const paymentOp = { coins: 1 } as const;

/** First byte of a request to an owner or the broker. */
export const requestOp = {
  /** Holder: bind the coin to the next holder. To the owner, or while it is away to the broker. */
  transfer: 1,
  /** Anybody: orders of one coin. To the broker. */
  report: 2,
  /** Holder: credit an account with the coin. To the broker. */
  deposit: 3,
  /** Account holder, in an account request: buys coins, or asks what befell them while it was away. To the broker. */
  account: 4,
  /** Payee: put these bindings on the public list. To the broker, which keeps it. */
  list: 5,
  /** Holder: nobody carries this order out; what it is short of is an account's. To the broker. */
  refund: 6,
} as const;
export const words: CoinWords = { id: schemeId, name: schemeName, account: requestOp.account };
export const answerOp = {
  bound: 1,
  contradicted: 2,
  /** The coin was spent twice; who did is not known yet. */
  undecided: 3,
} as const;
export const accountOp = { buy: 1, sync: 2 } as const;

/** Orders that the owner of a coin keeps and shows. */
export const historyMax = 150;
/** News in the answer to a SYNC; the owner asks again until there is none. */
export const syncNewsMax = 50;

const publicKey = fixedBytes(publicKeyBytes);
const nonce = fixedBytes(16);

/** 130 bytes. The account's signature makes the coin's owner answer for what the coin's key signs. */
export const claim = statement('whopay claim', { coinKey: publicKey, account: publicKey });
/** 121 bytes. */
export const coin = statement('whopay coin', {
  coinKey: publicKey,
  /** Hash of the account that bought it and the coin's key: the account's owner knows it again, and nobody else. */
  ownerId: fixedBytes(12),
  value: u64,
  expirySeconds: u32,
});
export type Coin = Holds<typeof coin>;
/** 158 bytes. The nonce is the payee's, so that a binding proves that the owner made it for this payment. */
export const binding = statement('whopay binding', {
  coinKey: publicKey,
  holder: publicKey,
  sequence: u64,
  expirySeconds: u32,
  nonce,
});
export type Binding = Holds<typeof binding>;

const orderFields = { coinKey: publicKey, holder: publicKey, next: publicKey, nonce };
/** 179 bytes each. */
export const transfer = statement('whopay transfer', orderFields);
export const deposit = statement('whopay deposit', orderFields);
export const orderKind = { transfer: 0, deposit: 1 } as const;
export const order = struct({ kind: u8, said: transfer });
export type Order = Holds<typeof order>;

/** Holder's key: whose account is short of a coin that it ordered on, when nobody carries that out. It contradicts no order. */
export const refund = statement('whopay refund', {
  coinKey: publicKey,
  holder: publicKey,
  next: publicKey,
  account: publicKey,
});
export type Refund = Holds<typeof refund>;

/** A binding, and what its holder did with it. */
export const step = struct({ binding, order });
export type Step = Holds<typeof step>;

/** Under `payeeKey`: what the holder's key of each coin is derived from. */
export const target = coinTarget(
  { id: schemeId, name: schemeName },
  { brokerKey: publicKey, payeeKey: publicKey, nonce },
);
export const targetMessage = target.message;
export type Target = Omit<Holds<typeof targetMessage>, 'signature'>;

/** 279 bytes, and where the owner answers: one place, or none where that is only the broker's to know. */
export const paidCoin = struct({ coin, binding, ownerAt: countedList(u8, endpointField) });
export type PaidCoin = Holds<typeof paidCoin>;
export const paymentMessage = struct({ scheme: u8, op: u8, coins: countedList(u8, paidCoin) });

export const listRequest = struct({ op: u8, coins: countedList(u8, struct({ coin, binding })) });
/** Those on the list that contradict the ones to be put there, or that have passed them over. */
export const listReply = struct({ known: countedList(u8, binding) });
export const stepRequest = struct({ op: u8, coin, step });
export const reportRequest = struct({ op: u8, coin, steps: countedList(u16, step) });
export const refundRequest = struct({ op: u8, refund });
export const boundAnswer = struct({ op: u8, binding });
export const contradictedAnswer = struct({ op: u8, step });

export const buyBody = struct({
  op: u8,
  coins: countedList(u8, struct({ exponent: u8, claim })),
});
export const boughtReply = struct({ coins: countedList(u8, coin) });
/** What the broker did in the owner's place: an order, and the binding that followed it (none after a deposit). */
export const news = struct({ step, bound: countedList(u8, binding) });
export type News = Holds<typeof news>;
export const syncReply = struct({
  last: u64,
  news: countedList(u16, news),
  /** Coins that were spent twice, by whom is not known. */
  wanted: countedList(u16, publicKey),
});
