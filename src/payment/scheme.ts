import type { Fault } from '../base/fault.ts';
import type {
  Answer,
  AskId,
  ChainEvent,
  ChainPort,
  Clock,
  Endpoint,
  Entropy,
  Observer,
  PartyPort,
  StorePort,
  StoreWrite,
} from '../ports.ts';

/**
 * The payment seam. A scheme knows value (msat) and its own messages; it knows no cell, circuit or link.
 *
 * Two calls carry every payment system, the paper's Pay and Redeem: the payer turns the payee's latest target into the
 * next payment, the payee turns a payment into value and the next target. A set-up step (open a contract, hand over a
 * refund signature) is a payment worth 0 whose answer is the next target, so a scheme's whole conversation runs
 * through REDEEM and RECEIPT.
 *
 * Money order, kept by the sessions on both sides: what a result asks to `persist` is durable before the payment is
 * sent, and before value is credited and receipted.
 */

/** One paid circuit at one payee, as both sides number it locally. */
export type SessionId = number;

/** Millisatoshi. */
export type Value = bigint;

export function sumOf(values: readonly Value[]): Value {
  return values.reduce((sum, value) => sum + value, 0n);
}

/** Reasons a payment is refused, sent to the payer as the RECEIPT's status. Never a silent 0. */
export const paymentStatus = {
  ok: 0,
  malformed: 1,
  unknownScheme: 2,
  /** The target that the payment answers has expired or was never handed out. */
  targetOld: 3,
  badSignature: 4,
  /** Not above what was redeemed before: replayed or decreasing. */
  stale: 5,
  /** Above what the channel, chain or coin holds. */
  overspent: 6,
  /** Too late: the payee stopped accepting because its deadline nears. */
  expired: 7,
  /** The contract has too few confirmations; the same payment may be accepted later. */
  unconfirmed: 8,
  /** Below the smallest amount worth claiming. */
  tooSmall: 9,
  /** No such channel, chain or coin here. */
  unknownChannel: 10,
  /** Terms of the contract are not those of the target. */
  badTerms: 11,
  /** Frozen: the chain is in doubt (reorg, conflict, chain unreachable). */
  frozen: 12,
  /** A cap of the payee; try again later. */
  busy: 13,
  /** Another party that must be asked does not answer; try again later, or pay otherwise. */
  partyUnavailable: 14,
} as const;

/** The names of the statuses that a RECEIPT carries as numbers. */
export type PaymentStatusName = keyof typeof paymentStatus;

/** Why a payment was refused; `code` travels as its number in the RECEIPT. */
export type PaymentFault = Fault<PaymentStatusName>;

/** A payment, or another party's request, that is refused. */
export function refused(code: PaymentStatusName): { readonly kind: 'refused'; readonly fault: PaymentFault } {
  return { kind: 'refused', fault: { code } };
}

/** Why the payer cannot pay. */
export type PayFault = Fault<
  | 'PAY_NO_FUNDS'
  | 'PAY_LIMIT'
  | 'PAY_BAD_TARGET'
  | 'PAY_CHANNEL_EXHAUSTED'
  /** The payee, or we ourselves, take no channel of this size. */
  | 'PAY_CHANNEL_SIZE'
  | 'PAY_CHAIN_UNAVAILABLE'
  | 'PAY_REFUSED'
  | 'PAY_BAD_REFUND_SIGNATURE'
  /** The own records are an old copy: what was promised since is not in them. */
  | 'PAY_STORE_WENT_BACK'
  /** The broker, or another party that must be asked, does not answer or refuses. */
  | 'PAY_PARTY_UNAVAILABLE'
>;

/** What became of a payment at its payee. */
export type Redeemed =
  /** Worth `value` more than before (0 for a set-up step). `reply` is the next target, sent in the RECEIPT. */
  | {
      readonly kind: 'added';
      readonly value: Value;
      readonly persist: readonly StoreWrite[];
      readonly reply: Uint8Array;
    }
  /** Waits for the chain or another party; the outcome comes from onAnswer. */
  | { readonly kind: 'pending'; readonly ask: AskId }
  | { readonly kind: 'refused'; readonly fault: PaymentFault; readonly reply?: Uint8Array };

/** What a payer answers when it is asked to pay. */
export type Paid =
  /** Send this payment after persisting; when it is receipted the payee has `value` more (0 for a set-up step). */
  | {
      readonly kind: 'send';
      readonly payment: Uint8Array;
      readonly value: Value;
      readonly persist: readonly StoreWrite[];
    }
  | { readonly kind: 'pending'; readonly ask: AskId }
  /** The answer to a value of 0, once there is nothing left to set up. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly fault: PayFault };

/** The outcome of a question a scheme had asked, for the session that waits for it. */
export interface Outcome<T> {
  readonly session: SessionId;
  readonly result: T;
}

/** The payee's side of one scheme: one object per relay, for all its circuits. */
export interface Payee {
  /** The first target of a session: what a payer must know to make its first payment. At most 400 bytes. */
  target(session: SessionId): Uint8Array;
  /** The same as the answer to a question, where it may have to wait. Absent: it never has to. */
  ask?(session: SessionId): Redeemed;
  /** Verifies one payment. Equal bytes twice add 0 (status stale). Never throws for what a payer sent. */
  redeem(session: SessionId, payment: Uint8Array): Redeemed;
  onAnswer(answer: Answer): Outcome<Redeemed> | undefined;
  onChain(event: ChainEvent): void;
  /** The circuit is gone; whatever the session paid with may now be settled. */
  ended(session: SessionId): void;
}

/** Whom a payer pays: the relay's Ed25519 identity, against which targets are verified. */
export interface PayeeIdentity {
  readonly ed25519: Uint8Array;
}

/** The payer's side of one scheme: one object per client, for all its circuits. */
export interface Payer {
  /**
   * True: a payment states what was paid in all. It may then follow another before that is receipted, answering the same
   * target, and includes what the payee refused before it.
   */
  readonly cumulative?: boolean;
  /** Announces a session and how much value it may ever need (the channel's size, for schemes that lock value up). */
  begin(session: SessionId, payee: PayeeIdentity, budget: Value): void;
  /**
   * The next payment that answers `target`, worth at least `value` once the set-up steps are done. The session calls
   * again with the RECEIPT's target until it has got a payment with value. A value of 0 takes the set-up steps alone. Of a value that
   * is more than it should give away at a time, it may pay a part.
   * @param most what its owner's limits leave; absent: no limit. A scheme that cannot pay just `value` within them pays less, or
   *   refuses (PAY_LIMIT).
   */
  pay(session: SessionId, target: Uint8Array, value: Value, most?: Value): Paid;
  onAnswer(answer: Answer): Outcome<Paid> | undefined;
  onChain(event: ChainEvent): void;
  /** True: the session cannot pay for long any more, so that nothing new should count on it. Absent: as long as there is money. */
  endsSoon?(session: SessionId): boolean;
  /** The payee refused the last payment. */
  onRefused(session: SessionId, fault: PaymentFault): void;
  /** The last message of a session that ends in order (CLOSE), if the scheme has one. */
  finish(session: SessionId): Paid | undefined;
  /** The circuit is gone; funds that remain are recovered in the scheme's own way. */
  ended(session: SessionId): void;
}

/** What a party answers to another's request. */
export type Served =
  /** `reply` leaves once `persist` is durable. */
  | { readonly kind: 'reply'; readonly reply: Uint8Array; readonly persist: readonly StoreWrite[] }
  /** Waits for the chain, the store or a third party; the outcome comes from onAnswer. */
  | { readonly kind: 'pending'; readonly ask: AskId }
  | { readonly kind: 'refused'; readonly fault: PaymentFault };

/** A side of a scheme that other parties ask: the owner of a coin, whom a chain was spent at before, an assistant. */
export interface Party {
  /** Never throws for what somebody sent. A request that comes again gets the same answer. */
  serve(request: Uint8Array): Served;
  /** Has what `run` serves ask others together; absent: it asks nobody. */
  together?(run: () => void): void;
  /** Tells whether somebody is asked at `at` of whom this side knows by itself; absent: nobody but the broker. */
  knows?(at: Endpoint, done: (known: boolean) => void): void;
  /** The outcome of what was pending under `ask`; called with one answer until there is none: several may wait for it. */
  onAnswer(answer: Answer): { readonly ask: AskId; readonly served: Served } | undefined;
}

/** All of the world that a scheme sees. */
export interface SchemeHost {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly chain: ChainPort;
  readonly store: StorePort;
  readonly parties: Pick<PartyPort, 'ask'>;
  readonly observer: Observer;
  /** A fresh id for a question to `chain`, `store` or `parties`; its answer comes back to this scheme's onAnswer. */
  newAsk(): AskId;
}

/** What a payee signs its targets with: the relay's Ed25519 identity. */
export interface PayeeSigner {
  readonly ed25519: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/**
 * A payment system, as relays and clients are given it: one object for each life of each node. Its sides may share what
 * they hold, so that what a node earned as payee it can spend as payer.
 */
export interface PaymentScheme {
  /** First byte of every payment and target. */
  readonly id: number;
  readonly name: string;
  payee(host: SchemeHost, signer: PayeeSigner): Payee;
  payer(host: SchemeHost): Payer;
  /** For schemes whose payers or payees are asked by others. */
  party?(host: SchemeHost): Party;
}
