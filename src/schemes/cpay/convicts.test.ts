import { describe, expect, it } from 'vitest';
import type { CoinWorld, Peer } from '../coin-peers.fixture.ts';
import {
  assistantOf,
  authBy,
  convicted,
  deskOf,
  enquire,
  keyOf,
  nowOf,
  ofOneAssistant,
  payWith,
  request,
  saidFor,
  value,
} from './cpay-peers.fixture.ts';
import { clockSkewMs, epochMs, type PaidCoin } from './messages.ts';

/** Pays both with one coin, until that is found out. */
function convict(coins: CoinWorld, peers: readonly Peer[], assistant: Peer, held: PaidCoin): void {
  const victims = peers.filter(peer => peer !== assistant).slice(-2);
  for (const to of victims)
    expect(payWith(to, { coin: held.coin, auth: authBy(assistant, saidFor(coins, held, to)) })).toBe('added');
  for (const to of victims) to.do(() => deskOf(to).deposit());
  enquire(coins, peers);
  expect(convicted(coins)).toEqual([keyOf(assistant)]);
}

describe('an assistant of CPay that was convicted', () => {
  it('pays nobody more by what it signs, whatever time that says', () => {
    const { coins, peers, assistant, held, victims } = ofOneAssistant('back-dated', 2);
    const [first, second] = held;
    convict(coins, peers, assistant, first);
    coins.world.runFor(2 * epochMs);
    const says = (to: Peer, timeMs: bigint) => authBy(assistant, { ...saidFor(coins, second, to), timeMs });
    const tries = () =>
      victims.map(to => payWith(to, { coin: second.coin, auth: says(to, second.auth.timeMs + 1n) }));
    expect(tries()).toEqual(['stale', 'stale']);
    const [victim] = victims;
    expect(payWith(victim, { coin: second.coin, auth: says(victim, nowOf(coins)) })).toBe('badSignature');
    coins.world.runFor(10 * 86_400_000);
    expect(tries()).toEqual(['stale', 'stale']);
  });
});

describe('what an honest assistant of CPay authorised', () => {
  it('pays after a while still, though others have joined the ring since, and after some days no more', () => {
    const { coins, relay, assistant, held, victims } = ofOneAssistant('later', 2);
    const [to] = victims;
    const auths = held.map(each => ({ each, auth: authBy(assistant, saidFor(coins, each, to)) }));
    for (let more = 0; more < 3; more++) coins.peer(`newcomer ${more}`);
    coins.world.runFor(3 * epochMs + clockSkewMs);
    const [soon, late] = auths.map(({ each, auth }) => ({ coin: each.coin, auth }));
    expect(payWith(to, soon)).toBe('added');
    coins.world.runFor(2 * 86_400_000);
    expect(payWith(to, late)).toBe('stale');
    expect(relay.pay(to, value)).toBe(value);
  });
});

describe('an honest assistant of CPay after one that gave a coin to two', () => {
  it('lets one of them spend it, and the other hand it in alone', () => {
    const { coins, peers, relay, assistant, held, victims } = ofOneAssistant('two lines', 1);
    const [given] = held;
    const [one, other] = victims;
    const lines = victims.map(to => ({
      coin: given.coin,
      auth: authBy(assistant, saidFor(coins, given, to)),
    }));
    victims.forEach((to, at) => {
      expect(payWith(to, lines[at])).toBe('added');
    });
    const all = [...peers];
    let next = assistant;
    while (next === assistant) {
      all.push(coins.peer(`newcomer ${all.length}`));
      coins.world.runFor(2 * epochMs);
      next = assistantOf(coins, all, lines[0], one);
    }
    const asks = (by: Peer, at: number) =>
      by.ask(next.at, request(lines[at], by.account, peers[0], nowOf(coins)));
    expect(asks(one, 0)).not.toBeTypeOf('string');
    expect(asks(other, 1)).toBe('stale');
    next.restart();
    expect(asks(other, 1)).toBe('stale');
    for (const peer of [other, relay]) peer.do(() => deskOf(peer).deposit());
    enquire(coins, all);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
  });
});
