import { toHex } from '../../base/bytes.ts';
import type { BrokerDisk } from '../../broker/broker-lab.fixture.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { BrokeredNode } from '../../payment/brokered.ts';
import { oneTimePublicKey } from '../../payment/coins/one-time-keys.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { whopay } from './index.ts';
import {
  type Binding,
  type Coin,
  deposit,
  type Order,
  orderKind,
  type PaidCoin,
  paidCoin,
  paymentMessage,
  paymentOp,
  requestOp,
  schemeId,
  stepRequest,
  targetMessage,
  transfer,
} from './messages.ts';

export const deskOf = (peer: Peer) => (peer.scheme as BrokeredNode).desk;
export const value = 1_024n;
export const start = 10n ** 9n;

export function peersOf(seed: string, variant = 'unlisted', disk?: BrokerDisk) {
  const coins = new CoinWorld(whopay, seed, disk);
  const [owner, relay, other, third] = ['owner', 'relay', 'other', 'third'].map(name =>
    coins.peer(name, variant),
  );
  return { coins, owner, relay, other, third };
}

/** A coin that a peer's disk says it was paid, and the secret that holds it. */
export interface Held {
  readonly paid: PaidCoin;
  readonly key: SigningKey;
}

export function heldBy(peer: Peer): readonly Held[] {
  return [...peer.process.store.durable()]
    .filter(([key]) => key.startsWith('whopay/held/'))
    .map(([, bytes]) => ({
      paid: paidCoin.decode(bytes.subarray(0, -32))!,
      key: new SigningKey(bytes.slice(-32)),
    }));
}

/** The secret of the coin that an owner gave away. */
export function coinSecretOf(owner: Peer, made: Coin): SigningKey {
  const bytes = owner.process.store.durable().get(`whopay/bought/${toHex(made.coinKey)}`)!;
  return new SigningKey(bytes.slice(-32));
}

/** Where a coin may be bound to that payee, by a target that it hands out now. */
export function placeAt(to: Peer, made: Coin) {
  const { nonce, payeeKey } = targetMessage.decode(to.process.turn(() => to.payee.target(to.at.port)))!;
  return { nonce, holder: oneTimePublicKey(payeeKey, nonce, made.coinKey)! };
}

export function orderOf(
  held: Held,
  kind: keyof typeof orderKind,
  next: Uint8Array,
  nonce: Uint8Array = new Uint8Array(16),
): Order {
  const { coinKey, holder } = held.paid.binding;
  const form = kind === 'transfer' ? transfer : deposit;
  return { kind: orderKind[kind], said: form.sign(held.key, { coinKey, holder, next, nonce }) };
}

export const request = ({ paid }: Held, order: Order) =>
  stepRequest.encode({
    op: order.kind === orderKind.transfer ? requestOp.transfer : requestOp.deposit,
    coin: paid.coin,
    step: { binding: paid.binding, order },
  });

export function payWith(to: Peer, made: Coin, bound: Binding, times = 1): string {
  const bytes = paymentMessage.encode({
    scheme: schemeId,
    op: paymentOp.coins,
    coins: Array.from({ length: times }, () => ({ coin: made, binding: bound, ownerAt: [] })),
  });
  const redeemed = to.take(to.at.port, bytes);
  return redeemed.kind === 'refused' ? redeemed.fault.code : redeemed.kind;
}
