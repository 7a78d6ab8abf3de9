import { describe, expect, it } from 'vitest';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import type { CoinWorld, Peer } from '../coin-peers.fixture.ts';
import { judge } from './fraud.ts';
import {
  answerOp,
  binding,
  boundAnswer,
  refund,
  refundRequest,
  reportRequest,
  requestOp,
} from './messages.ts';
import {
  coinSecretOf,
  deskOf,
  type Held,
  heldBy,
  orderOf,
  payWith,
  peersOf,
  placeAt,
  request,
  start,
  value,
} from './whopay-peers.fixture.ts';

const dayMs = 86_400_000;
/** What each has gained or lost. */
const gains = (coins: CoinWorld, peers: readonly Peer[]) =>
  peers.map(peer => coins.broker.balanceOf(peer) - start);

/** The owner says that the coin has come to that peer, by nobody's order. */
function bindTo(to: Peer, owner: Peer, { paid: { coin: made, binding: bound } }: Held, sequence: bigint) {
  const fields = { ...bound, sequence, ...placeAt(to, made) };
  const forged = binding.sign(coinSecretOf(owner, made), fields);
  expect(payWith(to, made, forged)).toBe('added');
  return forged;
}

/** Lets the time pass after which an owner need not show any more what became of its coin. */
function outlast(coins: CoinWorld): void {
  coins.world.runFor(100 * dayMs);
  for (let time = 0; time < 2; time++) {
    coins.broker.tick();
    coins.broker.restart();
  }
  expect(coins.broker.heldMsat(coins.broker.key.publicKey)).toBe(0n);
  coins.broker.expectBacked();
}

describe('an owner of a coin of WhoPay that shows no order for what it bound', () => {
  it.each([
    ['nothing', 'relay first'],
    ['nothing', 'relay last'],
    ['what it was told in court', 'relay first'],
    ['what it was told in court', 'relay last'],
  ])('but %s, pays who is short by its word when the coin is over: %s', (shows, order) => {
    const { coins, owner, relay, other } = peersOf(`unordered ${shows} ${order}`);
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    bindTo(other, owner, held, 2n);
    const peers = order === 'relay first' ? [relay, other] : [other, relay];
    for (const peer of peers) peer.do(() => deskOf(peer).deposit());
    owner.restart();
    coins.settle();
    if (shows !== 'nothing') {
      // What the holders themselves ordered: it says nothing of how the coin came from one to the other.
      for (const peer of peers) {
        const mine = peer === relay ? held : heldBy(peer)[0];
        const step = {
          binding: mine.paid.binding,
          order: orderOf(mine, 'deposit', peer.account.publicKey),
        };
        const steps = [step];
        const report = { op: requestOp.report, coin: held.paid.coin, steps };
        expect(owner.ask(coins.broker.at, reportRequest.encode(report))).toBeInstanceOf(Uint8Array);
      }
    }
    coins.world.runFor(80 * dayMs);
    coins.broker.tick();
    // It may be away: whoever handed it in first is paid.
    expect(gains(coins, peers)).toEqual([value, 0n]);
    const before = coins.broker.balanceOf(owner) + deskOf(owner).spendableMsat;
    outlast(coins);
    expect(gains(coins, peers)).toEqual([value, value]);
    expect(before - coins.broker.balanceOf(owner)).toBe(value);
    // No two statements of one key say that it was the owner.
    expect(coins.broker.proofs).toEqual([]);
  });

  it('pays though it is silent for good, and pays no holder that is guilty', () => {
    const { coins, owner, relay, other, third } = peersOf('silent');
    const [fourth, fifth] = ['fourth', 'fifth'].map(name => coins.peer(name, 'unlisted'));
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    for (const [peer, sequence] of [
      [fourth, 5n],
      [fifth, 3n],
    ] as const)
      bindTo(peer, owner, held, sequence);
    // Its owner carries one order out, and the broker another.
    for (const [to, manager] of [
      [other, owner.at],
      [third, coins.broker.at],
    ] as const) {
      const { holder, nonce } = placeAt(to, held.paid.coin);
      const answer = relay.ask(manager, request(held, orderOf(held, 'transfer', holder, nonce)));
      expect(payWith(to, held.paid.coin, boundAnswer.decode(answer as Uint8Array)!.binding)).toBe('added');
    }
    owner.die();
    const honest = [third, other, fourth, fifth];
    for (const peer of honest) peer.do(() => deskOf(peer).deposit());
    relay.ask(coins.broker.at, request(held, orderOf(held, 'deposit', relay.account.publicKey)));
    expect(gains(coins, honest).filter(gain => gain === 0n)).not.toEqual([]);
    outlast(coins);
    expect(gains(coins, honest)).toEqual(Array(4).fill(value));
    expect(gains(coins, [relay])).toEqual([0n]);
    for (const proof of coins.broker.proofs) expect(judge(proof).guilty).toEqual(held.key.publicKey);
  });

  it('is not one that shows all orders it had, whatever a holder handed in', () => {
    const { coins, owner, relay, other, third } = peersOf('shown');
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    expect(relay.pay(other, value)).toBe(value);
    expect(other.pay(third, value)).toBe(value);
    relay.ask(coins.broker.at, request(held, orderOf(held, 'deposit', relay.account.publicKey)));
    third.do(() => deskOf(third).deposit());
    owner.restart();
    coins.settle();
    const before = coins.broker.balanceOf(owner) + deskOf(owner).spendableMsat;
    outlast(coins);
    expect(coins.broker.balanceOf(owner)).toBe(before);
    // Its account was credited with the coin, and so pays for it.
    expect(gains(coins, [relay, third])).toEqual([0n, value]);
    for (const proof of coins.broker.proofs) expect(judge(proof).guilty).toEqual(held.key.publicKey);
  });

  /** The relay's coin was bound to another without its order, and that one has handed it in. */
  function bereft(seed: string) {
    const { coins, owner, relay, other, third } = peersOf(seed);
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    bindTo(other, owner, held, 2n);
    other.do(() => deskOf(other).deposit());
    const worthOf = (peer: Peer) => coins.broker.balanceOf(peer) + deskOf(peer).spendableMsat;
    return { coins, owner, relay, third, worthOf, before: worthOf(relay) };
  }

  it('pays who finds that out when it would pay with the coin', () => {
    const { coins, owner, relay, third, worthOf, before } = bereft('spent on');
    owner.die();
    const lent = coins.broker.balanceOf(owner);
    expect(relay.pay(third, value)).toBe(value);
    expect(worthOf(relay)).toBe(before - 2n * value);
    outlast(coins);
    expect(worthOf(relay)).toBe(before - value);
    expect(lent - coins.broker.balanceOf(owner)).toBe(value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('pays who finds that out when it would renew the coin', () => {
    const { coins, owner, relay, worthOf, before } = bereft('renewed');
    owner.die();
    coins.world.runFor(25 * dayMs);
    expect(worthOf(relay)).toBe(before - value);
    outlast(coins);
    expect(worthOf(relay)).toBe(before);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('pays nobody whose order was carried out, whatever it wants back', () => {
    const { coins, owner, relay, other, third } = peersOf('carried out');
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    const { holder, nonce } = placeAt(other, held.paid.coin);
    const order = orderOf(held, 'transfer', holder, nonce);
    const answer = relay.ask(owner.at, request(held, order)) as Uint8Array;
    expect(payWith(other, held.paid.coin, boundAnswer.decode(answer)!.binding)).toBe('added');
    other.do(() => deskOf(other).deposit());
    owner.die();
    const wanted = (by: SigningKey) => {
      const { coinKey } = held.paid.binding;
      const fields = { coinKey, holder: held.key.publicKey, next: holder };
      const said = refund.sign(by, { ...fields, account: third.account.publicKey });
      return relay.ask(coins.broker.at, refundRequest.encode({ op: requestOp.refund, refund: said }));
    };
    expect(wanted(held.key)).toBe('unknownChannel');
    expect(relay.ask(coins.broker.at, request(held, order))).toMatchObject({ 0: answerOp.undecided });
    expect(wanted(third.account)).toBe('badSignature');
    expect(wanted(held.key)).toEqual(new Uint8Array(0));
    const before = [owner, third].map(peer => coins.broker.balanceOf(peer));
    outlast(coins);
    expect([owner, third].map(peer => coins.broker.balanceOf(peer))).toEqual(before);
  });
});
