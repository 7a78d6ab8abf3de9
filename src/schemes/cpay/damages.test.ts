import { describe, expect, it } from 'vitest';
import { AccountBook } from '../../broker/account-book.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { Peer } from '../coin-peers.fixture.ts';
import {
  assistantOf,
  authBy,
  convicted,
  deskOf,
  enquire,
  keyOf,
  minted,
  ofOneAssistant,
  payWith,
  saidFor,
  start,
  value,
} from './cpay-peers.fixture.ts';
import { Damages } from './damages.ts';
import { epochMs, type PaidCoin } from './messages.ts';

/** An assistant that has given one coin to so many, none of whom has handed it in. */
function givenToAll(seed: string, count: number) {
  const { coins, peers, relay, assistant, held, victims } = ofOneAssistant(seed, 1);
  const paid = [...victims, ...peers.filter(peer => peer !== assistant && !victims.includes(peer))].slice(
    0,
    count,
  );
  const lines = paid.map(to => ({
    coin: held[0].coin,
    auth: authBy(assistant, saidFor(coins, held[0], to)),
  }));
  paid.forEach((to, at) => {
    expect(payWith(to, lines[at])).toBe('added');
  });
  const before = new Map(peers.map(peer => [peer, coins.broker.balanceOf(peer)]));
  const gainOf = (peer: Peer) => coins.broker.balanceOf(peer) - (before.get(peer) ?? start);
  return { coins, peers, relay, assistant, paid, lines, gainOf };
}

describe('one coin of CPay that was handed in by many', () => {
  it('is paid to each of them by whoever gave it away so often, and the house has nothing of it', () => {
    const { coins, peers, relay, assistant, paid, gainOf } = givenToAll('many', 3);
    for (const to of [...paid, relay]) to.do(() => deskOf(to).deposit());
    enquire(coins, peers);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    const all = [...new Set([...paid, relay])];
    for (const to of all) expect(gainOf(to)).toBe(value);
    expect(gainOf(assistant)).toBe(-BigInt(all.length - 1) * value);
    expect(coins.broker.heldMsat(coins.broker.key.publicKey)).toBe(0n);
    coins.broker.expectBacked();
  });

  it('is paid for too by one that was convicted before that was handed in', () => {
    const { coins, peers, assistant, paid, gainOf } = givenToAll('one late', 3);
    const [first, second, late] = paid;
    for (const to of [first, second]) to.do(() => deskOf(to).deposit());
    enquire(coins, peers);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    late.do(() => deskOf(late).deposit());
    enquire(coins, peers);
    for (const to of paid) expect(gainOf(to)).toBe(value);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
  });

  it('is found out by what they show themselves, though whoever let them hand it in is gone', () => {
    const { coins, peers, assistant, paid, lines, gainOf } = givenToAll('shown by victims', 2);
    const all = [...peers];
    let next = assistant;
    while (next === assistant || paid.includes(next)) {
      all.push(coins.peer(`newcomer ${all.length}`));
      coins.world.runFor(2 * epochMs);
      next = assistantOf(coins, all, lines[0], paid[0]);
    }
    for (const to of paid) to.do(() => deskOf(to).deposit());
    next.die();
    enquire(
      coins,
      all.filter(peer => peer !== next),
    );
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    for (const to of paid) expect(gainOf(to)).toBe(value);
  });
});

describe('damages', () => {
  const [house, silent, guilty, poor, victim] = [1, 2, 3, 4, 5].map(
    byte => new SigningKey(new Uint8Array(32).fill(byte)).publicKey,
  );
  const coinOf = ({ coin }: PaidCoin) => coin;
  const made = coinOf(minted(new SigningKey(new Uint8Array(32).fill(1)), victim, 0n, 1n, 100n));
  function court() {
    const accounts = new AccountBook({ list: () => [] }, house);
    for (const each of [silent, guilty]) accounts.receive(each, 1_000n);
    accounts.receive(poor, 30n);
    const damages = new Damages({ accounts, store: { get: () => undefined, list: () => [] } });
    damages.add(made, victim);
    return { damages, of: (key: Uint8Array) => accounts.balanceMsat(key) ?? 0n };
  }

  it('that one paid who was only silent, come back to it from who is convicted', () => {
    const { damages, of } = court();
    damages.chargeSilent(made, [silent]);
    expect([of(victim), of(silent)]).toEqual([100n, 900n]);
    expect(damages.isSilent(silent)).toBe(true);
    damages.chargeSilent(made, [silent]);
    expect(of(silent)).toBe(900n);
    damages.heard(made, silent);
    expect(damages.isSilent(silent)).toBe(false);
    damages.convict(made, [guilty]);
    expect([of(victim), of(silent), of(guilty), of(house)]).toEqual([100n, 1_000n, 900n, 0n]);
  });

  it('that two did are paid once, and first by what they have', () => {
    const { damages, of } = court();
    damages.convict(made, [poor, guilty]);
    expect([of(victim), of(poor), of(guilty), of(house)]).toEqual([100n, 0n, 930n, 0n]);
  });

  it('are owed where there is nothing', () => {
    const { damages, of } = court();
    damages.convict(made, [poor]);
    expect([of(victim), of(poor), of(house)]).toEqual([30n, -70n, 0n]);
  });
});
