import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { scriptOfAddress } from '../../bitcoin/wallet.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import type { BrokeredNode } from '../../payment/brokered.ts';
import { accountMessage } from '../../payment/coins/coin-messages.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import {
  authBy,
  convicted,
  enquire,
  keyOf,
  nowOf,
  ofOneAssistant,
  payWith,
  saidFor,
  value,
} from './cpay-peers.fixture.ts';
import { cpay } from './index.ts';
import {
  accountOp,
  assistantList,
  assistBody,
  buyBody,
  epoch as epochKind,
  epochMs,
  epochRequest,
  listRequest,
  offerEveryMs,
  requestOp,
} from './messages.ts';
import { epochOf } from './ring.ts';

function askAs(coins: CoinWorld, by: Peer, key: SigningKey, body: Uint8Array): Uint8Array | string {
  const envelope = makeAccountRequest(key, by.process.host.entropy, body);
  return by.ask(coins.broker.at, accountMessage.encode({ op: requestOp.account, envelope }));
}

/** Offers in the names of so many keys that cost nothing. */
function sybils(coins: CoinWorld, by: Peer, count: number): readonly string[] {
  const keys = Array.from({ length: count }, () => SigningKey.fresh(by.process.host.entropy));
  const body = assistBody.encode({ op: accountOp.assist, at: { host: '10.9.9.9', port: 9 } });
  for (const key of keys) expect(askAs(coins, by, key, body)).toBeInstanceOf(Uint8Array);
  return keys.map(({ publicKey }) => toHex(publicKey));
}

/** Who assists in the next epoch. */
function ring(coins: CoinWorld, by: Peer): readonly string[] {
  coins.broker.tick();
  coins.world.runFor(epochMs);
  const number = epochOf(nowOf(coins));
  const asked = (request: Uint8Array) => by.ask(coins.broker.at, request) as Uint8Array;
  const { since } = epochKind.decode(asked(epochRequest.encode({ op: requestOp.epoch, number })))!;
  const list = assistantList.decode(asked(listRequest.encode({ op: requestOp.list, since })))!;
  return list.assistants.map(({ key }) => toHex(key)).sort();
}

/** Spends all but that: on coins of its own, which are its node's to hand in some day. */
function spendTo(coins: CoinWorld, peer: Peer, leftMsat: bigint): void {
  const msat = coins.broker.balanceOf(peer) - leftMsat;
  const exponents = [...msat.toString(2)]
    .reverse()
    .flatMap((bit, exponent) => (bit === '1' ? [exponent] : []));
  const wanted = exponents.map(exponent => ({ exponent, holder: peer.account.publicKey }));
  askAs(coins, peer, peer.account, buyBody.encode({ op: accountOp.buy, assistants: 1, coins: wanted }));
  expect(coins.broker.balanceOf(peer)).toBe(leftMsat);
}

describe('the ring of a broker of CPay', () => {
  it('has no place for keys that cost nothing, whether they come before the honest or after', () => {
    const coins = new CoinWorld(cpay, 'sybils');
    const stranger = coins.peer('stranger');
    spendTo(coins, stranger, 0n);
    sybils(coins, stranger, 30);
    const relays = ['first', 'second', 'third'].map(name => coins.peer(name));
    sybils(coins, stranger, 30);
    expect(ring(coins, stranger)).toEqual(relays.map(keyOf).sort());
    expect(relays[0].pay(relays[1], value)).toBe(value);
  });

  it('is of those that have nothing yet where nobody has a bond', () => {
    const coins = new CoinWorld(cpay, 'beginning');
    const stranger = coins.peer('stranger');
    spendTo(coins, stranger, 0n);
    const begun = sybils(coins, stranger, 3);
    expect(ring(coins, stranger)).toEqual([keyOf(stranger), ...begun].sort());
  });

  it('that is of one alone since it has a bond, still lets that one hand in what it earned before', () => {
    const coins = new CoinWorld(cpay, 'alone');
    const peers = ['first', 'second', 'third'].map(name => coins.peer(name));
    const [payer, relay] = peers;
    for (const peer of peers) spendTo(coins, peer, 5_000_000n);
    coins.broker.tick();
    for (const peer of peers) peer.restart();
    coins.settle();
    expect(ring(coins, payer)).toEqual(peers.map(keyOf).sort());
    expect(payer.pay(relay, value)).toBe(value);
    const script = scriptOfAddress(coins.broker.addressFor(relay.account))!;
    coins.broker.chain.issue(script, 1_000_000n);
    coins.broker.mine();
    expect(ring(coins, payer)).toEqual([keyOf(relay)]);
    const before = coins.broker.balanceOf(relay);
    relay.do(() => (relay.scheme as BrokeredNode).desk.deposit());
    expect(coins.broker.balanceOf(relay)).toBeGreaterThanOrEqual(before + value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('that is of one alone, has the broker say what it authorised in place of another', () => {
    const { coins, relay, assistant, held, victims, peers } = ofOneAssistant('broker asks itself', 1);
    const [one, other] = victims;
    for (const to of [one, other])
      expect(payWith(to, { ...held[0], auth: authBy(assistant, saidFor(coins, held[0], to)) })).toBe('added');
    for (const peer of peers) if (peer !== one) spendTo(coins, peer, 0n);
    expect(ring(coins, one)).toEqual([keyOf(one)]);
    const before = coins.broker.balanceOf(one);
    expect(one.pay(relay, value)).toBe(value);
    expect(coins.broker.balanceOf(one)).toBe(before);
    for (const peer of [relay, other]) peer.do(() => (peer.scheme as BrokeredNode).desk.deposit());
    enquire(coins, peers);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
  });

  it('has no place for one that was convicted, however long ago that is', () => {
    const { coins, relay, assistant, held, victims, peers } = ofOneAssistant('long ago', 1);
    for (const to of victims)
      expect(payWith(to, { ...held[0], auth: authBy(assistant, saidFor(coins, held[0], to)) })).toBe('added');
    for (const peer of victims) peer.do(() => (peer.scheme as BrokeredNode).desk.deposit());
    enquire(coins, peers);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    for (const days of [118, 2]) {
      coins.world.runFor(days * 86_400_000);
      coins.broker.tick();
    }
    coins.broker.restart();
    coins.world.runFor(offerEveryMs);
    const others = ring(coins, relay);
    expect(others).toContain(keyOf(relay));
    expect(others).not.toContain(keyOf(assistant));
  });

  it('loses whose bond is gone, and takes it back once it has one', () => {
    const coins = new CoinWorld(cpay, 'lost');
    const [first, second] = ['first', 'second'].map(name => coins.peer(name));
    expect(ring(coins, first)).toEqual([first, second].map(keyOf).sort());
    spendTo(coins, second, 9_999_999n);
    expect(ring(coins, first)).toEqual([keyOf(first)]);
    second.restart();
    coins.settle();
    expect(ring(coins, first)).toEqual([keyOf(first)]);
    first.pay(second, 1_024n);
    second.do(() => (second.scheme as BrokeredNode).desk.deposit());
    expect(coins.broker.balanceOf(second)).toBeGreaterThan(10_000_000n);
    expect(ring(coins, first)).toEqual([first, second].map(keyOf).sort());
  });
});
