import { equalBytes } from '../../base/bytes.ts';
import { firstPaymentSatMin } from '../../base/limits.ts';
import { paymentSatMax } from '../../bitcoin/payment-tx.ts';
import type { Paid, PayeeIdentity, PayFault, SessionId, Value } from '../../payment/scheme.ts';
import type { Channel } from './channel.ts';
import type { ContractDraft } from './contract-maker.ts';

export const satMsat = 1_000n;
/** Of this many parts of a channel less than one is left when it is given up for another. */
const usedUpParts = 8n;

/** How a session opens a channel that its owner asks for. */
export interface OpenWish {
  /** What its contract holds, no more and no less. */
  readonly capacitySat: bigint;
  /** Another wallet pays for it: told what and where to, inside a call of `pay`. Absent: the own wallet pays. */
  readonly onUnpaid?: (contract: Pick<ContractDraft, 'script' | 'capacitySat'>) => void;
}

/** One paid circuit at one payee, as the payer sees it. */
export interface PayingSession {
  readonly id: SessionId;
  readonly payee: Uint8Array;
  readonly budget: Value;
  /** It is to open a channel of its own. */
  wish: OpenWish | undefined;
  /** A contract that another wallet is to pay for. */
  unpaid: ContractDraft | undefined;
  channel: Channel | undefined;
  /** A question is out whose answer, or the answer's answer, ends the wait. */
  pending: Extract<Paid, { kind: 'pending' }> | undefined;
  /** The contract is on its way into the chain. */
  awaitsContract: boolean;
  /** The payee is still to hear, or hear again, that the contract is deep enough. */
  owesFunded: boolean;
  /** What the payee may refuse next. */
  sent: 'open' | 'claim' | 'other';
  /** Channels that the payee did not let this session take up. */
  readonly refusedClaims: Set<Channel>;
  /** Not before this height is FUNDED told again: the payee had not seen the contract deep enough. */
  fundedFromHeight: number;
  /** The payee refused; what was signed last was not credited. */
  refused: boolean;
  opened: number;
  /** So few blocks before T nothing new begins. */
  lateBlocks: number;
}

export function newSession(id: SessionId, payee: PayeeIdentity, budget: Value): PayingSession {
  return {
    id,
    payee: payee.ed25519.slice(),
    budget,
    wish: undefined,
    unpaid: undefined,
    channel: undefined,
    pending: undefined,
    awaitsContract: false,
    owesFunded: false,
    sent: 'other',
    refusedClaims: new Set(),
    fundedFromHeight: 0,
    refused: false,
    opened: 0,
    lateBlocks: 0,
  };
}

/** True for a channel that no session uses and that this one may go on with, as far as its own side is concerned. */
export function canTakeUp(session: PayingSession, channel: Channel, reusePaid: boolean): boolean {
  const { record, state, best } = channel;
  if (channel.session !== undefined || channel.disowned || session.refusedClaims.has(channel)) return false;
  if (state.phase !== 'open' && state.phase !== 'funded') return false;
  if (!equalBytes(record.peer, session.payee)) return false;
  const leftMsat = (paymentSatMax(record.terms) - best.paidSat) * satMsat;
  return best.paidSat === 0n || (reusePaid && leftMsat >= session.budget);
}

/**
 * What is paid in all once `value` more is paid, of which the payee has credited `fromSat`; what was signed cannot be taken
 * back, and parts of a satoshi cannot be paid. Undefined: `most` leaves too little.
 */
export function nextPaidSat(
  fromSat: bigint,
  signedSat: bigint,
  value: Value,
  most: Value | undefined,
): bigint | undefined {
  const enoughSat = (value + satMsat - 1n) / satMsat;
  const sat = most !== undefined && enoughSat * satMsat > most ? most / satMsat : enoughSat;
  const paidSat = max(max(fromSat + sat, firstPaymentSatMin), signedSat);
  const costs = (paidSat - fromSat) * satMsat;
  return costs === 0n || (most !== undefined && costs > most) ? undefined : paidSat;
}

/**
 * True when so little of a channel is left that its settlement is worth its fee, and the payee, which has credited `paidSat`,
 * holds all that was signed. The payer gets what is left.
 */
export function nearlyUsedUp({ best, payments }: Channel, paidSat: bigint): boolean {
  return best.paidSat === paidSat && (payments.satMax - paidSat) * usedUpParts < payments.satMax;
}

/** True when T is too near for anything new. */
export function endsSoon(session: PayingSession | undefined, tip: number | undefined): boolean {
  const channel = session?.channel;
  if (session === undefined || channel === undefined || tip === undefined) return false;
  return channel.state.refundHeight - tip <= session.lateBlocks;
}

export function refused(code: PayFault['code'], detail?: string): Paid {
  return { kind: 'refused', fault: detail === undefined ? { code } : { code, detail } };
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
