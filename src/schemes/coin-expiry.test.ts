import { describe, expect, it } from 'vitest';
import type { BrokeredNode } from '../payment/brokered.ts';
import { CoinWorld } from './coin-peers.fixture.ts';
import { cpay } from './cpay/index.ts';
import { ppay } from './ppay/index.ts';
import { whopay } from './whopay/index.ts';

const value = 1_024n;
const dayMs = 86_400_000;
/** All coins of these schemes have expired then. */
const lifeDays = 90;
/** For so long somebody else may show that a coin is not the claimer's. */
const claimDays = 15;

it.each([ppay, whopay, cpay])('a relay of $name that rests hands its coins in before they expire', scheme => {
  const coins = new CoinWorld(scheme, 'rest');
  const [payer, relay] = ['payer', 'relay'].map(name => coins.peer(name, scheme.variants[0]));
  coins.peer('another', scheme.variants[0]);
  coins.world.runFor(120_000);
  const before = coins.broker.balanceOf(relay);
  expect(payer.pay(relay, value)).toBe(value);
  // The circuit stays open, and nobody pays on it any more.
  coins.world.runFor(60 * dayMs);
  expect((relay.scheme as BrokeredNode).desk.spendableMsat).toBe(value);
  coins.world.runFor((lifeDays - 60) * dayMs);
  expect(coins.broker.balanceOf(relay) - before).toBe(value);
  expect(coins.broker.proofs).toEqual([]);
});

const everyScheme = [ppay, whopay, cpay];
/** The last of these is half a day before the coins expire. */
const everyReturn = [0, 89.5];

it.each(
  everyScheme.flatMap(scheme => everyReturn.map(awayDays => ({ scheme, name: scheme.name, awayDays }))),
)(
  'a payer of $name that was away for $awayDays days gets back what it bought and never spent',
  ({ scheme, awayDays }) => {
    const coins = new CoinWorld(scheme, 'leftover');
    const [payer, relay] = ['payer', 'relay'].map(name => coins.peer(name, scheme.variants[0]));
    coins.peer('another', scheme.variants[0]);
    coins.world.runFor(120_000);
    const before = coins.broker.balanceOf(payer);
    expect(payer.pay(relay, value)).toBe(value);
    const leftover = (payer.scheme as BrokeredNode).desk.spendableMsat;
    expect(leftover).toBeGreaterThan(0n);
    expect(coins.broker.balanceOf(payer)).toBe(before - value - leftover);
    payer.die();
    coins.world.runFor(awayDays * dayMs);
    payer.restart();
    coins.world.runFor((lifeDays + claimDays - awayDays) * dayMs);
    coins.broker.tick();
    expect(coins.broker.balanceOf(payer)).toBe(before - value);
    expect((payer.scheme as BrokeredNode).desk.partedMsat).toBe(value);
    expect(coins.broker.proofs).toEqual([]);
    coins.broker.expectBacked();
  },
);

describe.each(everyScheme)('once all that concerns a coin of $name must have been said', scheme => {
  const forgottenDays = lifeDays + 25;
  const begin = () => {
    const coins = new CoinWorld(scheme, 'forgotten');
    const [payer, relay] = ['payer', 'relay'].map(name => coins.peer(name, scheme.variants[0]));
    coins.peer('another', scheme.variants[0]);
    coins.world.runFor(120_000);
    const start = coins.broker.balanceOf(payer);
    expect(payer.pay(relay, value)).toBe(value);
    const { broker } = coins;
    const kept = () => broker.process.turn(() => broker.store.list(`${scheme.name}/coin/`)).length;
    const tickAfter = (days: number) => {
      coins.world.runFor(days * dayMs);
      coins.broker.tick();
      coins.broker.expectBacked();
    };
    return { coins, payer, relay, start, kept, tickAfter };
  };

  it('it is again whose it was at first, if nobody handed it in', () => {
    const { coins, payer, relay, start, kept, tickAfter } = begin();
    for (const gone of [payer, relay]) gone.die();
    const left = coins.broker.balanceOf(payer);
    tickAfter(lifeDays);
    tickAfter(6);
    expect(coins.broker.balanceOf(payer)).toBe(left);
    expect(kept()).toBeGreaterThan(0);
    tickAfter(forgottenDays - lifeDays - 6);
    expect([coins.broker.balanceOf(payer), kept()]).toEqual([start, 0]);
    expect(coins.broker.outstandingMsat).toBe(0n);
    coins.broker.restart();
    coins.broker.expectBacked();
  });

  it('its broker keeps nothing of it, and pays it once', () => {
    const { coins, payer, relay, start, kept, tickAfter } = begin();
    const before = coins.broker.balanceOf(relay);
    relay.do(() => (relay.scheme as BrokeredNode).desk.deposit());
    expect(coins.broker.balanceOf(relay) - before).toBe(value);
    for (const gone of [payer, relay]) gone.die();
    tickAfter(1);
    tickAfter(forgottenDays);
    expect(kept()).toBe(0);
    expect(coins.broker.balanceOf(payer)).toBe(start - value);
    expect(coins.broker.balanceOf(relay) - before).toBe(value);
  });

  it('it is forgotten by no broker that has just begun, since its clock may be wrong', () => {
    const { coins, payer, relay, kept, tickAfter } = begin();
    for (const gone of [payer, relay]) gone.die();
    tickAfter(forgottenDays);
    expect(kept()).toBeGreaterThan(0);
    coins.broker.restart();
    tickAfter(0.5);
    expect(kept()).toBeGreaterThan(0);
    tickAfter(1);
    expect(kept()).toBe(0);
  });
});

it.each([
  { scheme: ppay, name: 'PPay', variant: 'reassigned' },
  { scheme: whopay, name: 'WhoPay', variant: 'listed' },
])(
  'a broker of $name forgets what it did in an absent owner’s place with the coin',
  ({ scheme, variant }) => {
    const coins = new CoinWorld(scheme, 'in its place');
    const [payer, relay, other] = ['payer', 'relay', 'other'].map(name => coins.peer(name, variant));
    expect(payer.pay(relay, value)).toBe(value);
    payer.die();
    const before = coins.broker.balanceOf(other);
    expect(relay.pay(other, value)).toBe(value);
    other.do(() => (other.scheme as BrokeredNode).desk.deposit());
    expect(coins.broker.balanceOf(other) - before).toBe(value);
    for (const gone of [relay, other]) gone.die();
    const { broker } = coins;
    const kept = () =>
      broker.process.turn(() => broker.store.list(`${scheme.name}/`)).map(([key]) => key.split('/')[1]);
    expect(new Set(kept())).toContain('queue');
    for (const days of [1, lifeDays + 15]) {
      coins.world.runFor(days * dayMs);
      broker.tick();
    }
    // How far it has counted what it tells owners.
    expect(kept()).toEqual(['queued']);
    broker.expectBacked();
  },
);
