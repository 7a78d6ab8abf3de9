import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import type { Peer } from '../coin-peers.fixture.ts';
import {
  assistantOf,
  authBy,
  convicted,
  deskOf,
  heldBy,
  keyOf,
  nowOf,
  payWith,
  peersOf,
  request,
  saidFor,
  start,
  targetOf,
  value,
} from './cpay-peers.fixture.ts';
import { accountNonce } from './dealings.ts';
import { cpay } from './index.ts';
import { depositRequest, epochMs, requestOp } from './messages.ts';

describe('a coin of CPay goes from peer to peer', () => {
  it.each(cpay.variants)('without the broker, and is then handed in (%s)', variant => {
    const { coins, peers } = peersOf(`online ${variant}`, variant);
    const [payer, relay, other] = peers;
    expect(payer.pay(relay, value)).toBe(value);
    expect(heldBy(relay)[0].auth.signatures).toHaveLength(['group', 'paper'].includes(variant) ? 2 : 1);
    const seen = coins.watch();
    expect(relay.pay(other, value)).toBe(value);
    expect(deskOf(other).receivedMsat).toBe(value);
    const payments = seen.filter(pair => !pair.endsWith('> broker'));
    expect(payments.length).toBeGreaterThan(0);
    other.do(() => deskOf(other).deposit());
    expect(coins.broker.balanceOf(other)).toBe(start + value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('once in a payment', () => {
    const { coins, peers } = peersOf('twice in one');
    const [payer, relay] = peers;
    expect(payer.pay(relay, value)).toBe(value);
    const [held] = heldBy(relay);
    const assistant = assistantOf(coins, peers, held, relay);
    const other = peers.find(peer => ![payer, relay, assistant].includes(peer))!;
    const paid = { coin: held.coin, auth: authBy(assistant, saidFor(coins, held, other)) };
    expect(payWith(other, paid, 2)).toBe('stale');
    expect(payWith(other, paid)).toBe('added');
  });

  it('through restarts of everybody', () => {
    const { coins, peers } = peersOf('restarts');
    const [payer, relay, other, third] = peers;
    expect(payer.pay(relay, value)).toBe(value);
    for (const node of [...peers, coins.broker]) node.restart();
    coins.settle();
    expect(relay.pay(other, value)).toBe(value);
    for (const node of [...peers, coins.broker]) node.restart();
    coins.settle();
    expect(other.pay(third, value)).toBe(value);
    expect(deskOf(third).receivedMsat).toBe(value);
  });

  it('over a change of assistants, once those before have released it', () => {
    const { coins, peers } = peersOf('hand-over');
    const [payer, relay, other] = peers;
    expect(payer.pay(relay, value)).toBe(value);
    for (let more = 0; more < 12; more++) coins.peer(`newcomer ${more}`);
    coins.world.runFor(2 * epochMs);
    expect(relay.pay(other, value)).toBe(value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('over more changes of assistants than a node knows lists of', () => {
    const { coins, peers } = peersOf('many changes');
    const [payer, relay, other] = peers;
    expect(payer.pay(relay, value)).toBe(value);
    for (let more = 0; more < 20; more++) {
      coins.peer(`newcomer ${more}`);
      coins.world.runFor(2 * epochMs);
    }
    const before = coins.broker.balanceOf(relay);
    expect(relay.pay(other, value)).toBe(value);
    // It had to buy no other.
    expect(coins.broker.balanceOf(relay)).toBe(before);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('not while its assistant is away, and to the same payee when it is back', () => {
    const { coins, peers } = peersOf('away');
    const [payer, relay, other] = peers;
    expect(payer.pay(relay, value)).toBe(value);
    for (const peer of peers) coins.trouble(peer.at, 'absent');
    expect(relay.pay(other, value)).toBeTypeOf('string');
    for (const peer of peers) coins.trouble(peer.at, undefined);
    coins.world.runFor(epochMs);
    expect(relay.pay(other, value)).toBe(value);
  });

  it('in a group while one of its three assistants is away', () => {
    const { coins, peers } = peersOf('group fault', 'group');
    const [payer, relay, other] = peers;
    for (const away of peers.slice(2)) {
      coins.trouble(away.at, 'absent');
      expect(payer.pay(relay, value)).toBe(value);
      expect(relay.pay(other, value)).toBe(value);
      coins.trouble(away.at, undefined);
    }
  });

  it('in a group of which one was away when another signed, and a third never comes', () => {
    const { coins, peers } = peersOf('group in turn', 'group');
    const [payer, relay] = peers;
    expect(payer.pay(relay, value)).toBe(value);
    const [held] = heldBy(relay);
    const worthless = { ...held, auth: { ...held.auth, timeMs: held.auth.timeMs - 1n } };
    const isAsked = (peer: Peer) =>
      relay.ask(peer.at, request(worthless, relay.account, relay, nowOf(coins))) === 'badSignature';
    const [, late, gone] = peers.filter(isAsked);
    for (const { at } of [late, gone]) coins.trouble(at, 'absent');
    relay.process.turn(() => deskOf(relay).deposit());
    coins.world.runFor(20_000);
    expect(coins.broker.balanceOf(relay)).toBe(start);
    coins.trouble(late.at, undefined);
    coins.world.runFor(epochMs);
    expect(coins.broker.balanceOf(relay)).toBe(start + value);
  });

  it('and in Anonymous CPay shows no assistant who pays or is paid', () => {
    const { coins, peers } = peersOf('names', 'anonymous');
    const [payer, relay, other] = peers;
    payer.pay(relay, value);
    const said: string[] = [];
    coins.parties.tap = ({ to, request: asked }) => {
      if (to !== 'broker') said.push(toHex(asked));
    };
    expect(relay.pay(other, value)).toBe(value);
    expect(said.length).toBeGreaterThan(0);
    for (const peer of [payer, relay, other]) expect(said.join()).not.toContain(keyOf(peer));
  });
});

describe('whoever cheats with coins of CPay', () => {
  it('as holder that spends one twice, is refused at once', () => {
    const { coins, peers } = peersOf('double spend');
    const [payer, relay, other, third] = peers;
    payer.pay(relay, value);
    const [held] = heldBy(relay);
    const assistant = assistantOf(coins, peers, held, relay);
    expect(relay.ask(assistant.at, request(held, relay.account, other, nowOf(coins)))).not.toBeTypeOf(
      'string',
    );
    expect(relay.ask(assistant.at, request(held, relay.account, third, nowOf(coins)))).toBe('stale');
    expect(relay.ask(assistant.at, request(held, other.account, third, nowOf(coins)))).toBe('badSignature');
    for (const peer of peers.filter(each => each !== assistant))
      expect(relay.ask(peer.at, request(held, relay.account, third, nowOf(coins)))).toBe('badTerms');
  });

  it('as assistant that authorises what nobody wished, pays for it when it has no grounds to show', () => {
    const { coins, peers } = peersOf('no grounds');
    const [payer, relay, other] = peers;
    payer.pay(relay, value);
    const [held] = heldBy(relay);
    const assistant = assistantOf(coins, peers, held, relay);
    const { payeeKey, nonce } = targetOf(other);
    const { guid, payee, timeMs } = held.auth;
    // As if the holder had held it since another time.
    const said = { guid, payer: payee, payee: payeeKey, sinceMs: timeMs + 1n, timeMs: nowOf(coins), nonce };
    expect(payWith(other, { coin: held.coin, auth: authBy(assistant, said) })).toBe('added');
    for (const peer of [other, relay]) peer.do(() => deskOf(peer).deposit());
    coins.broker.tick();
    for (const peer of peers) peer.restart();
    coins.settle();
    expect(convicted(coins)).toEqual([]);
    const before = coins.broker.balanceOf(assistant);
    coins.world.runFor(8 * 86_400_000);
    coins.broker.tick();
    expect(convicted(coins)).toEqual([]);
    expect(coins.broker.balanceOf(assistant)).toBe(before - value);
    for (const peer of [other, relay]) expect(coins.broker.balanceOf(peer)).toBe(start + value);
  });

  it('by an authorisation of a stranger, or of an assistant of somebody else, is refused', () => {
    const { coins, peers } = peersOf('wrong assistant');
    const [payer, relay, other] = peers;
    payer.pay(relay, value);
    const [held] = heldBy(relay);
    const assistant = assistantOf(coins, peers, held, relay);
    const { payeeKey, nonce } = targetOf(other);
    const { guid, payee, timeMs } = held.auth;
    const said = { guid, payer: payee, payee: payeeKey, sinceMs: timeMs, timeMs: nowOf(coins), nonce };
    for (const wrong of peers.filter(peer => peer !== assistant))
      expect(payWith(other, { coin: held.coin, auth: authBy(wrong, said) })).toBe('badSignature');
    const dear = { ...held.coin, value: held.coin.value * 2n };
    expect(payWith(other, { coin: dear, auth: authBy(assistant, said) })).toBe('badSignature');
    expect(payWith(other, held)).not.toBe('added');
    const ahead = { ...said, timeMs: nowOf(coins) + 3_600_000n };
    expect(payWith(other, { coin: held.coin, auth: authBy(assistant, ahead) })).toBe('badTerms');
  });

  it('by more than is in its account, or by a coin handed in twice, gains nothing', () => {
    const { coins, peers } = peersOf('overspent');
    const [payer, relay, other] = peers;
    expect(payer.pay(relay, start + 1n)).toBe('PAY_NO_FUNDS');
    expect(payer.pay(relay, value)).toBe(value);
    const [held] = heldBy(relay);
    const asThief = depositRequest.encode({
      op: requestOp.deposit,
      account: other.account.publicKey,
      paid: held,
    });
    expect(other.ask(coins.broker.at, asThief)).toBe('badTerms');
    for (let time = 0; time < 3; time++) relay.do(() => deskOf(relay).deposit());
    expect(coins.broker.balanceOf(relay)).toBe(start + value);
    expect(accountNonce(relay.account.publicKey)).toHaveLength(16);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('with noise, gets no more than a word', () => {
    const { coins, peers } = peersOf('noise');
    const requests = [
      new Uint8Array(0),
      ...[1, 2, 3, 4, 5, 6, 9].map(op => Uint8Array.of(op, ...coins.world.entropy.bytes(600))),
    ];
    for (const at of [peers[1].at, coins.broker.at])
      for (const bytes of requests) expect(peers[0].ask(at, bytes)).toBeTypeOf('string');
  });
});
