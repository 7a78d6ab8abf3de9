import { equalBytes } from '../../base/bytes.ts';
import { channelFeeSatMax, channelFeeSatMin, refundBlocksMax } from '../../base/limits.ts';
import { isPublicKey } from '../../crypto/ecdsa.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import { isCurrentOffer, type Network, networkByte, type Offer, offerDigest, variantOf } from './messages.ts';

/** What of a payer's own choices an offer must fit. */
export interface OfferWishes {
  readonly network: Network;
  readonly payee: Uint8Array;
  readonly tip: number;
  readonly refundBlocks: number;
}

/**
 * Why a payer must not take the offer; undefined when it may. The signature is the relay's: without it, whoever sits on
 * the way could put its own key and payout in place of the relay's.
 */
export function offerFault(offer: Offer, wishes: OfferWishes): string | undefined {
  if (!isCurrentOffer(offer)) return 'version';
  if (offer.network !== networkByte[wishes.network]) return 'network';
  if (!equalBytes(offer.relayId, wishes.payee)) return 'another relay';
  if (!ed25519Verify(wishes.payee, offerDigest(offer), offer.signature)) return 'signature';
  if (wishes.tip > offer.expiryHeight) return 'expired';
  if (variantOf(offer.variant) === undefined) return 'variant';
  if (!isPublicKey(offer.payeeKey)) return 'payee key';
  if (!isPayoutScript(offer.payoutScript)) return 'payout script';
  const fee = BigInt(offer.feeSat);
  if (fee < channelFeeSatMin || fee > channelFeeSatMax) return 'fee';
  if (offer.refundBlocksMax > refundBlocksMax || offer.refundBlocksMin > wishes.refundBlocks) {
    return 'refund height';
  }
  if (offer.refundBlocksMax < wishes.refundBlocks) return 'refund height';
  return undefined;
}

/** P2WPKH, P2WSH or P2TR: all that bitcoind relays to and that the fee's size counts on. */
function isPayoutScript(script: Uint8Array): boolean {
  const [version, size] = script;
  if (script.length === 22) return version === 0 && size === 20;
  return script.length === 34 && (version === 0 || version === 0x51) && size === 32;
}
