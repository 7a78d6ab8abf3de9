import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { accountMessage } from '../../payment/coins/coin-messages.ts';
import type { CoinWorld, Peer } from '../coin-peers.fixture.ts';
import {
  assistantOf,
  deskOf,
  enquire,
  heldBy,
  nowOf,
  payWith,
  peersOf,
  request,
  saidFor,
  start,
  targetOf,
  value,
} from './cpay-peers.fixture.ts';
import { judge } from './fraud.ts';
import {
  type Auth,
  accountOp,
  authStatement,
  brokersPlace,
  buyBody,
  buyersOwn,
  buyersPlace,
  type PaidCoin,
  requestOp,
} from './messages.ts';

/** A coin that a peer has bought and paid nobody with. */
function boughtBy(coins: CoinWorld, buyer: Peer, payee: Peer): PaidCoin {
  const before = coins.broker.balanceOf(buyer);
  expect(buyer.pay(payee, value)).toBe(value);
  expect(coins.broker.balanceOf(buyer)).toBeLessThan(before);
  return heldBy(buyer)[0];
}

/** What a buyer signs when it pays by its word alone. */
function word(buyer: Peer, { coin, auth: origin }: PaidCoin, said: Omit<Auth, 'signatures'>): PaidCoin {
  const { signature } = authStatement.sign(buyer.account, said);
  const signatures = [
    { place: buyersPlace, signature },
    { place: brokersPlace, signature: origin.signatures[0].signature },
  ];
  return { coin, auth: { ...said, signatures } };
}

describe('a coin of CPay that its buyer pays with by its own word', () => {
  it('needs no assistant the first time, and one from then on', () => {
    const { coins, peers } = peersOf('paper', 'paper');
    const [payer, relay, other] = peers;
    for (const peer of peers) coins.trouble(peer.at, 'absent');
    expect(payer.pay(relay, value)).toBe(value);
    for (const peer of peers) coins.trouble(peer.at, undefined);
    coins.world.runFor(60_000);
    expect(relay.pay(other, value)).toBe(value);
    other.do(() => deskOf(other).deposit());
    expect(coins.broker.balanceOf(other)).toBe(start + value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('is taken of who gives it to two by both, and found out when it is handed in: its payer pays twice', () => {
    const { coins, peers } = peersOf('paid twice', 'paper');
    const [payer, helper, ...victims] = peers;
    // One that is spent again: the payee that had it is a third.
    const held = boughtBy(coins, payer, helper);
    const paid = victims.slice(0, 2);
    for (const to of paid) expect(payWith(to, word(payer, held, saidFor(coins, held, to)))).toBe('added');
    const before = coins.broker.balanceOf(payer);
    for (const to of paid) to.do(() => deskOf(to).deposit());
    enquire(coins, peers);
    const [proof, ...more] = coins.broker.proofs;
    expect(more).toEqual([]);
    expect(proof.cheat).toBe('double-spend');
    expect(judge(proof)).toMatchObject({ guilty: payer.account.publicKey, role: 'payer' });
    for (const to of paid) expect(coins.broker.balanceOf(to)).toBe(start + value);
    expect(before - coins.broker.balanceOf(payer)).toBeGreaterThanOrEqual(value);
    expect(coins.broker.heldMsat(coins.broker.key.publicKey)).toBe(0n);
    coins.broker.expectBacked();
  });

  it('is spent by one of two payees alone where both ask its assistant', () => {
    const { coins, peers } = peersOf('paid on', 'paper');
    const [payer, helper, ...others] = peers;
    const held = boughtBy(coins, payer, helper);
    const lineTo = (to: Peer) => word(payer, held, saidFor(coins, held, to));
    const of = (peer: Peer) => assistantOf(coins, peers, lineTo(peer), peer);
    // Who assists a coin stays the same, but for whoever assists it.
    const [one, other] = others.filter(peer => others.filter(each => of(each) === of(peer)).length > 1);
    const lines = [one, other].map(lineTo);
    coins.world.runFor(1_000);
    const asks = (by: Peer, line: PaidCoin) =>
      by.ask(of(by).at, request(line, by.account, helper, nowOf(coins)));
    expect(asks(one, lines[0])).toBeInstanceOf(Uint8Array);
    expect(asks(other, lines[1])).toBe('stale');
  });

  it('is nothing to payees that did not choose so, nor is such a word about another coin to anybody', () => {
    const { coins, peers } = peersOf('chosen', 'paper');
    const [payer, helper, relay] = peers;
    const held = boughtBy(coins, payer, helper);
    const named = coins.peer('named', 'named');
    expect(payWith(named, word(payer, held, saidFor(coins, held, named)))).toBe('badTerms');
    const { auth } = held;
    const late = word(
      payer,
      { ...held, auth },
      { ...saidFor(coins, held, relay), sinceMs: auth.timeMs + 1n },
    );
    expect(payWith(relay, late)).toBe('badSignature');
    const group = { ...held.coin, assistants: 1 };
    expect(payWith(relay, word(payer, { ...held, coin: group }, saidFor(coins, held, relay)))).toBe(
      'badSignature',
    );
    for (const peer of peers.filter(each => each !== payer))
      expect(payer.ask(peer.at, request(held, payer.account, relay, nowOf(coins)))).toBe('badTerms');
    expect(targetOf(relay).anonymous).toBe(0);
  });

  it('is sold to no other key than the account that can be charged', () => {
    const { coins, peers } = peersOf('whose', 'paper');
    const [payer] = peers;
    const holder = SigningKey.fresh(payer.process.host.entropy).publicKey;
    const body = buyBody.encode({
      op: accountOp.buy,
      assistants: buyersOwn,
      coins: [{ exponent: 3, holder }],
    });
    const envelope = makeAccountRequest(payer.account, payer.process.host.entropy, body);
    const asked = payer.ask(coins.broker.at, accountMessage.encode({ op: requestOp.account, envelope }));
    expect(asked).toBe('badTerms');
  });
});
