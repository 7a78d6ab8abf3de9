import { signDigest } from '../../crypto/ecdsa.ts';
import type { Channel } from './channel.ts';
import {
  claimDigest,
  claimMessage,
  fundedMessage,
  type Network,
  payMessage,
  paymentOp,
  schemeId,
} from './messages.ts';

/** What a payer says of a channel that it has, signed with the channel's key. */

/** PAY: so much in all, from now on. CLOSE: the payee's to settle. */
export function paymentOf(
  channel: Channel,
  op: typeof paymentOp.pay | typeof paymentOp.close,
  paidSat: bigint,
): { readonly payment: Uint8Array; readonly signature: Uint8Array } {
  const signature = signDigest(channel.keys.secret, channel.payments.digest(paidSat));
  const payment = payMessage.encode({ scheme: schemeId, op, channel: channel.id, paidSat, signature });
  return { payment, signature };
}

/** CLAIM, in answer to the offer of that nonce: the session goes on with this channel. */
export function claimOf(channel: Channel, network: Network, nonce: Uint8Array): Uint8Array {
  const digest = claimDigest(network, channel.record.terms.outpoint, nonce);
  const signature = signDigest(channel.keys.secret, digest);
  return claimMessage.encode({ scheme: schemeId, op: paymentOp.claim, channel: channel.id, signature });
}

/** FUNDED: the contract is deep enough. */
export function fundedOf(channel: Channel): Uint8Array {
  return fundedMessage.encode({ scheme: schemeId, op: paymentOp.funded, channel: channel.id });
}
