import { equalBytes } from '../../base/bytes.ts';
import { offerBlocks, refundBlocksMax } from '../../base/limits.ts';
import { capacitySatLeast } from '../../bitcoin/payment-tx.ts';
import { isPublicKey } from '../../crypto/ecdsa.ts';
import type { ChannelRecord } from './channel-record.ts';
import { networkByte, type Offer, type Open, offerHead, variantByte } from './messages.ts';
import type { RoleSetup } from './role-setup.ts';

/** A payee's terms for one session, to be signed by its identity. `nonce` names the offer and its fresh key. */
export function offerTerms(
  setup: RoleSetup,
  relayId: Uint8Array,
  nonce: Uint8Array,
  tip: number,
): Omit<Offer, 'signature'> {
  const leastSat = capacitySatLeast(setup.feeSat);
  return {
    ...offerHead,
    network: networkByte[setup.network],
    variant: variantByte(setup.variant),
    relayId,
    payeeKey: setup.keyRoot.named(nonce).keyPair().publicKey,
    payoutScript: setup.payoutScript ?? setup.wallet.addressToPromise.script,
    nonce,
    capacitySatMin: leastSat > setup.capacitySatMin ? leastSat : setup.capacitySatMin,
    capacitySatMax: setup.capacitySatMax,
    minConfirmations: setup.rules.minConfirmations,
    refundBlocksMin: setup.rules.acceptMarginBlocks * 2,
    refundBlocksMax,
    feeSat: Number(setup.feeSat),
    expiryHeight: tip + offerBlocks,
  };
}

/** What in OPEN is not as the offer says; undefined when all is. */
export function openFault(open: Open, offer: Offer, tip: number): string | undefined {
  if (open.capacitySat < offer.capacitySatMin) return 'contract too small';
  if (open.capacitySat > offer.capacitySatMax) return 'contract too large';
  if (open.feeSat !== offer.feeSat) return 'fee';
  // The payer's tip may be a block behind.
  if (open.refundHeight < tip + offer.refundBlocksMin - 1) return 'T too near';
  if (open.refundHeight > tip + offer.refundBlocksMax) return 'T too far';
  if (!isPublicKey(open.payerKey) || equalBytes(open.payerKey, offer.payeeKey)) return 'payer key';
  // Only P2WPKH, whose size the fee counts on and whose dust limit the template knows.
  const { refundScript } = open;
  if (refundScript.length !== 22 || refundScript[0] !== 0 || refundScript[1] !== 20) return 'refund script';
  return equalBytes(refundScript, offer.payoutScript) ? 'refund script' : undefined;
}

export function recordOf(open: Open, offer: Offer, tip: number, setup: RoleSetup): ChannelRecord {
  return {
    terms: {
      variant: setup.variant,
      outpoint: { txid: open.txid, index: open.index },
      capacitySat: open.capacitySat,
      refundHeight: open.refundHeight,
      feeSat: BigInt(open.feeSat),
      payerKey: open.payerKey,
      payeeKey: offer.payeeKey,
      refundScript: open.refundScript,
      payoutScript: offer.payoutScript,
    },
    keyName: offer.nonce,
    peer: new Uint8Array(0),
    minConfirmations: setup.rules.minConfirmations,
    openedHeight: tip,
    stored: true,
    accepted: false,
    closeAsked: false,
    refundSignature: new Uint8Array(0),
    contract: new Uint8Array(0),
    ending: undefined,
  };
}
