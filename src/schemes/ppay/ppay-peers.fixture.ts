import type { BrokerDisk } from '../../broker/broker-lab.fixture.ts';
import type { BrokeredNode } from '../../payment/brokered.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { ppay } from './index.ts';
import {
  type CoinPath,
  type PaidCoin,
  paidCoin,
  pathRequest,
  paymentMessage,
  paymentOp,
  requestOp,
  schemeId,
  targetMessage,
} from './messages.ts';

export const deskOf = (peer: Peer) => (peer.scheme as BrokeredNode).desk;
export const value = 1_024n;

export function peersOf(seed: string, variant?: string, disk?: BrokerDisk) {
  const coins = new CoinWorld(ppay, seed, disk);
  const [owner, relay, other, third] = ['owner', 'relay', 'other', 'third'].map(name =>
    coins.peer(name, variant),
  );
  return { coins, owner, relay, other, third };
}

/** The coins that a peer's disk says it was paid. */
export function heldBy(peer: Peer): readonly PaidCoin[] {
  return [...peer.process.store.durable()]
    .filter(([key]) => key.startsWith('ppay/held/'))
    .map(([, bytes]) => paidCoin.decode(bytes)!);
}

/** A payment with coins of the payer's own making. */
export function payWith(from: Peer, to: Peer, coins: readonly CoinPath[]): string {
  const session = from.at.port;
  const { nonce } = targetMessage.decode(to.process.turn(() => to.payee.target(session)))!;
  const paid = coins.map(path => ({ path, ownerAt: [] }));
  const bytes = paymentMessage.encode({ scheme: schemeId, op: paymentOp.coins, nonce, coins: paid });
  const redeemed = to.take(session, bytes);
  return redeemed.kind === 'refused' ? redeemed.fault.code : redeemed.kind;
}

export const reassign = (path: CoinPath) => pathRequest.encode({ op: requestOp.reassign, path });
export const deposit = (path: CoinPath) => pathRequest.encode({ op: requestOp.deposit, path });
