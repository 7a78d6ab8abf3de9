import { expect } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import type { BrokerDisk } from '../../broker/broker-lab.fixture.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import type { BrokeredNode } from '../../payment/brokered.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { judge } from './fraud.ts';
import { cpay } from './index.ts';
import {
  type Auth,
  authoriseRequest,
  authStatement,
  coin,
  epochMs,
  type PaidCoin,
  paidCoin,
  paymentMessage,
  paymentOp,
  requestOp,
  schemeId,
  targetMessage,
  wish,
} from './messages.ts';

export const deskOf = (peer: Peer) => (peer.scheme as BrokeredNode).desk;
export const value = 1_024n;
export const start = 10n ** 9n;

/** Peers that have offered to assist, in an epoch in which they do. */
export function peersOf(seed: string, variant?: string, disk?: BrokerDisk) {
  const coins = new CoinWorld(cpay, seed, disk);
  const peers = ['first', 'second', 'third', 'fourth', 'fifth'].map(name => coins.peer(name, variant));
  coins.world.runFor(epochMs);
  return { coins, peers };
}

/** The coins that a peer's disk says it was paid. */
export function heldBy(peer: Peer): readonly PaidCoin[] {
  return [...peer.process.store.durable()]
    .filter(([key]) => key.startsWith('cpay/held/'))
    .map(([, bytes]) => paidCoin.decode(bytes.subarray(0, -32))!);
}

export const targetOf = (peer: Peer) =>
  targetMessage.decode(peer.process.turn(() => peer.payee.target(peer.at.port)))!;

/** What a holder asks of its assistant: that the coin be that peer's. */
export function request(held: PaidCoin, from: SigningKey, to: Peer, timeMs: bigint): Uint8Array {
  const { payeeKey, nonce } = targetOf(to);
  const { guid, payee: payer } = held.auth;
  const said = wish.sign(from, { guid, payer, payee: payeeKey, nonce });
  return authoriseRequest.encode({ op: requestOp.authorise, held, wish: said, timeMs, releases: [] });
}

export function nowOf({ world }: CoinWorld): bigint {
  return BigInt(world.wallStartMs + Math.floor(world.nowUs / 1_000));
}

/** Who of the peers assists this one now: the one that looks into the coin, which is none. */
export function assistantOf(coins: CoinWorld, peers: readonly Peer[], held: PaidCoin, from: Peer): Peer {
  const worthless = { ...held, auth: { ...held.auth, timeMs: held.auth.timeMs - 1n } };
  const asked = (peer: Peer) => from.ask(peer.at, request(worthless, from.account, from, nowOf(coins)));
  const found = peers.find(peer => asked(peer) === 'badSignature');
  expect(found).toBeDefined();
  return found!;
}

/** An authorisation that its assistant has no business to give. */
export function authBy(assistant: Peer, said: Omit<Auth, 'signatures'>): Auth {
  const { signature } = authStatement.sign(assistant.account, said);
  return { ...said, signatures: [{ place: 0, signature }] };
}

/** What an authorisation says by which that peer is paid with a coin of the relay's, now. */
export function saidFor(coins: CoinWorld, held: PaidCoin, to: Peer) {
  const { payeeKey, nonce } = targetOf(to);
  const { guid, payee: payer, timeMs: sinceMs } = held.auth;
  return { guid, payer, payee: payeeKey, sinceMs, timeMs: nowOf(coins), nonce };
}

/** Everybody is asked what it authorised, and shows it, so often as it takes to come to the ground of it. */
export function enquire(coins: CoinWorld, peers: readonly Peer[]): void {
  for (let round = 0; round < 3; round++) {
    coins.world.runFor(epochMs);
    for (const peer of peers) peer.restart();
    coins.settle();
  }
}

/** A relay with coins that one and the same peer authorises. */
export function ofOneAssistant(seed: string, count: number) {
  const { coins, peers } = peersOf(seed);
  const [payer, relay] = peers;
  const byAssistant = new Map<Peer, PaidCoin[]>();
  let found: readonly [Peer, readonly PaidCoin[]] | undefined;
  while (found === undefined) {
    const before = new Set(heldBy(relay).map(({ coin }) => toHex(coin.guid)));
    expect(payer.pay(relay, value)).toBe(value);
    const held = heldBy(relay).find(({ coin }) => !before.has(toHex(coin.guid)))!;
    const assistant = assistantOf(coins, peers, held, relay);
    const all = [...(byAssistant.get(assistant) ?? []), held];
    byAssistant.set(assistant, all);
    if (all.length === count && assistant !== payer) found = [assistant, all];
  }
  const [assistant, held] = found;
  const victims = peers.filter(peer => ![payer, relay, assistant].includes(peer));
  return { coins, peers, relay, assistant, held, victims };
}

export function payWith(to: Peer, paid: PaidCoin, times = 1): string {
  const coins = Array.from({ length: times }, () => paid);
  const bytes = paymentMessage.encode({ scheme: schemeId, op: paymentOp.coins, coins });
  const redeemed = to.take(to.at.port, bytes);
  return redeemed.kind === 'refused' ? redeemed.fault.code : redeemed.kind;
}

export function convicted(coins: CoinWorld): readonly string[] {
  return coins.broker.proofs.map(proof => toHex(judge(proof).guilty ?? new Uint8Array(0)));
}

export const keyOf = (peer: { readonly account: SigningKey }) => toHex(peer.account.publicKey);

/** What a broker that lies could sell: each number what it likes, each signature good. */
export function minted(
  broker: SigningKey,
  holder: Uint8Array,
  sinceMs: bigint,
  timeMs: bigint,
  worth = value,
) {
  const guid = new Uint8Array(16).fill(Number(timeMs % 251n));
  const sold = { guid, value: worth, expirySeconds: 0xffffffff, firstAssistant: new Uint8Array(3) };
  const made = coin.sign(broker, { ...sold, assistants: 1 });
  const said = { guid, payer: broker.publicKey, payee: holder, sinceMs, timeMs, nonce: new Uint8Array(16) };
  const { signature } = authStatement.sign(broker, said);
  return { coin: made, auth: { ...said, signatures: [{ place: 0, signature }] } };
}

/** Others offer to assist until one of them is who assists the relay. */
export function succeeded(coins: CoinWorld, peers: readonly Peer[], held: PaidCoin, relay: Peer) {
  const before = assistantOf(coins, peers, held, relay);
  const all = [...peers];
  let after = before;
  for (let more = 0; after === before; more++) {
    all.push(coins.peer(`newcomer ${more}`));
    coins.world.runFor(2 * epochMs);
    after = assistantOf(coins, all, held, relay);
  }
  return { all, after };
}
