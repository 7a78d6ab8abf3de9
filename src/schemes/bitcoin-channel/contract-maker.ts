import { fail, ok, type Result } from '../../base/fault.ts';
import { channelSatMax, firstPaymentSatMin } from '../../base/limits.ts';
import { type ChannelTerms, contractOutputScript } from '../../bitcoin/contract-tx.ts';
import { anchorSat, capacitySatLeast } from '../../bitcoin/payment-tx.ts';
import type { FundedContract } from '../../bitcoin/wallet.ts';
import type { PayFault, Value } from '../../payment/scheme.ts';
import type { Entropy, StoreWrite } from '../../ports.ts';
import type { ChannelRecord } from './channel-record.ts';
import { type Offer, openMessage, paymentOp, schemeId, variantOf } from './messages.ts';
import type { RoleSetup } from './role-setup.ts';

/** What a payer wants a contract for. */
export interface ContractWish {
  /** Checked already. */
  readonly offer: Offer;
  /** msat that the session may ever pay. */
  readonly budget: Value;
  /** What the contract is to hold, no more and no less; follows from the budget when undefined. */
  readonly capacitySat: bigint | undefined;
  readonly tip: number;
}

/** A contract that nobody has paid for yet. */
export interface ContractDraft {
  readonly offer: Offer;
  readonly tip: number;
  readonly keyName: Uint8Array;
  readonly terms: Omit<ChannelTerms, 'outpoint' | 'refundScript'>;
  /** What is to be paid, and where to. */
  readonly script: Uint8Array;
  readonly capacitySat: bigint;
}

export interface MadeContract {
  readonly record: ChannelRecord;
  /** Of the wallet: the addresses that the contract uses. */
  readonly writes: readonly StoreWrite[];
}

/** A contract that fits the offer, with a key of its own. */
export function draftContract(
  wish: ContractWish,
  setup: RoleSetup,
  entropy: Entropy,
): Result<ContractDraft, PayFault> {
  const { offer, tip } = wish;
  const capacity = capacityFor(wish, setup);
  if (!capacity.ok) return capacity;
  const capacitySat = capacity.value;
  const keyName = entropy.bytes(16);
  const terms = {
    variant: variantOf(offer.variant) as ChannelTerms['variant'],
    capacitySat,
    refundHeight: tip + setup.rules.refundBlocks,
    feeSat: BigInt(offer.feeSat),
    payerKey: setup.keyRoot.named(keyName).keyPair().publicKey,
    payeeKey: offer.payeeKey,
    payoutScript: offer.payoutScript,
  };
  return ok({ offer, tip, keyName, terms, script: contractOutputScript(terms), capacitySat });
}

/** Pays for the draft from the own wallet and signs; its coins are reserved, nothing is sent. */
export function payFromWallet(
  draft: ContractDraft,
  satPerKvb: bigint,
  { wallet }: RoleSetup,
): Result<FundedContract, PayFault> {
  const funded = wallet.fund(draft.script, draft.capacitySat, satPerKvb);
  return funded.ok ? funded : fail('PAY_NO_FUNDS', funded.fault.detail);
}

/** The channel of a contract that is paid for, before anything of it is sent. */
export function makeContract(
  { offer, tip, keyName, terms }: ContractDraft,
  { transaction, outpoint, writes }: Omit<FundedContract, 'feeSat'>,
  { wallet }: RoleSetup,
): MadeContract {
  // Taken after the change's address, so that its record counts both.
  const refund = wallet.takeAddress();
  const record: ChannelRecord = {
    terms: { ...terms, outpoint, refundScript: refund.script },
    keyName,
    peer: offer.relayId,
    minConfirmations: Math.max(offer.minConfirmations, 1),
    openedHeight: tip,
    stored: false,
    accepted: false,
    closeAsked: false,
    refundSignature: new Uint8Array(0),
    contract: transaction.toBuffer(),
    ending: undefined,
  };
  return { record, writes: [...writes, ...refund.writes] };
}

/** OPEN: the contract's outpoint and terms, the answer to an offer. */
export function openPayment(offer: Offer, terms: ChannelTerms): Uint8Array {
  return openMessage.encode({
    scheme: schemeId,
    op: paymentOp.open,
    nonce: offer.nonce,
    txid: terms.outpoint.txid,
    index: terms.outpoint.index,
    capacitySat: terms.capacitySat,
    refundHeight: terms.refundHeight,
    feeSat: Number(terms.feeSat),
    payerKey: terms.payerKey,
    refundScript: terms.refundScript,
  });
}

/** What was asked for exactly, or so large that the whole budget can be paid; within what both sides take. */
function capacityFor(
  { offer, budget, capacitySat: asked }: ContractWish,
  setup: RoleSetup,
): Result<bigint, PayFault> {
  const feeSat = BigInt(offer.feeSat);
  const leastSat = max(max(offer.capacitySatMin, setup.capacitySatMin), capacitySatLeast(feeSat));
  const mostSat = min(min(offer.capacitySatMax, setup.capacitySatMax), channelSatMax);
  const budgetSat = max((budget + 999n) / 1_000n, firstPaymentSatMin);
  const capacitySat = asked ?? min(max(budgetSat + feeSat + anchorSat, leastSat), mostSat);
  if (capacitySat < leastSat || capacitySat > mostSat)
    return fail('PAY_CHANNEL_SIZE', `a contract here holds ${leastSat} to ${mostSat} sat`);
  // It is lost however the channel ends.
  const payableSat = asked === undefined ? budgetSat : asked - feeSat - anchorSat;
  if (feeSat > payableSat)
    return fail('PAY_BAD_TARGET', `a fee of ${feeSat} sat for ${payableSat} that can be paid`);
  return ok(capacitySat);
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
