import { countedList, fixedBytes, type Holds, struct, u8, u16, u32, u64 } from '../../base/struct.ts';
import type { CoinWords } from '../../payment/coins/coin-messages.ts';
import { coinTarget } from '../../payment/coins/coin-target.ts';
import { endpointField } from '../../payment/endpoint-field.ts';
import { publicKeyBytes, statement } from '../../payment/statement.ts';

/**
 * Coins that float from peer to peer, managed by whoever bought them.
 *
 *     raw coin     what the broker sells: serial number, owner, value, expiry
 *     assigned     raw coin and holder, at a position: the owner's signature, or the broker's while the owner is away
 *     hand-over    the holder at a position gives the coin on to the next: a request for reassignment, a layer, a deposit
 *
 * A coin stands at position 1 once its owner has first given it away, and each hand-over moves it on by one, whoever
 * turns it into a new assignment. So there is one next holder for each position, and whoever names two has cheated.
 */
export const schemeId = 4;
export const schemeName = 'ppay';

/** Second byte of a payment. */
export const paymentOp = { coins: 1 } as const;

/** First byte of a request to an owner or the broker. */
export const requestOp = {
  /** Payee or holder: turn these hand-overs into a new assignment. To the owner, or while it is away to the broker. */
  reassign: 1,
  /** Anybody: two paths of a coin that contradict each other. To the broker. */
  report: 2,
  /** Holder: the last hand-over is to the broker itself. To the broker. */
  deposit: 3,
  /** Account holder, in an account request: buys coins, or asks what befell its coins while it was away. To the broker. */
  account: 4,
} as const;
export const words: CoinWords = { id: schemeId, name: schemeName, account: requestOp.account };
/** First byte of the answer to a reassignment. */
export const answerOp = {
  assigned: 1,
  contradicted: 2,
  /** The coin was spent twice; who did is not known yet. */
  undecided: 3,
} as const;
/** First byte of what an account request holds. */
export const accountOp = { buy: 1, sync: 2 } as const;

/** Hand-overs on top of one assignment that a payee takes: the coin stays within three cells. */
export const layersMax = 8;
/** Hand-overs in all that the owner of a coin shows when it is asked what became of it. */
export const historyMax = 300;
/** Paths in the answer to a SYNC; the owner asks again until none is left. */
export const syncPathsMax = 50;
const publicKey = fixedBytes(publicKeyBytes);
const serial = fixedBytes(20);

/** 129 bytes. */
export const rawCoin = statement('ppay coin', { serial, owner: publicKey, value: u64, expirySeconds: u32 });
export type RawCoin = Holds<typeof rawCoin>;

/** 234 bytes. */
export const assignedCoin = statement('ppay assignment', { coin: rawCoin, holder: publicKey, position: u64 });
export type AssignedCoin = Holds<typeof assignedCoin>;

/** What a holder signs. Serial and position follow from what it stands on, so they do not travel. */
export const handover = statement('ppay hand-over', { serial, position: u64, next: publicKey });
export type Handover = Holds<typeof handover>;

/** 97 bytes: a layer. */
const layer = struct({ next: publicKey, signature: fixedBytes(64) });

/** An assignment and what its holders did with it since. With one layer: a request for reassignment, 331 bytes and their count. */
export const coinPath = struct({ assigned: assignedCoin, layers: countedList(u16, layer) });
export type CoinPath = Holds<typeof coinPath>;

export const target = coinTarget(
  { id: schemeId, name: schemeName },
  { payeeKey: publicKey, brokerKey: publicKey, nonce: fixedBytes(16) },
);
export const targetMessage = target.message;
export type Target = Omit<Holds<typeof targetMessage>, 'signature'>;

/** A coin that is paid with, and where its owner answers: one place, or none where that is only the broker's to know. */
export const paidCoin = struct({ path: coinPath, ownerAt: countedList(u8, endpointField) });
export type PaidCoin = Holds<typeof paidCoin>;
export const paymentMessage = struct({
  scheme: u8,
  op: u8,
  /** Of the target that it answers. */
  nonce: fixedBytes(16),
  coins: countedList(u8, paidCoin),
});

export const pathRequest = struct({ op: u8, path: coinPath });
export const reportRequest = struct({ op: u8, first: coinPath, second: coinPath });
export const assignedAnswer = struct({ op: u8, assigned: assignedCoin });
/** What the asked knows of the coin, in place of what it was asked for. */
export const contradictedAnswer = struct({ op: u8, path: coinPath });

export const buyBody = struct({ op: u8, exponents: countedList(u8, u8) });
export const boughtReply = struct({ coins: countedList(u8, rawCoin) });
export const syncReply = struct({
  last: u64,
  paths: countedList(u16, coinPath),
  /** Coins of which the broker has seen paths that contradict each other. */
  wanted: countedList(u16, serial),
});
