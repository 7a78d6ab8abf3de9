import { expect, it } from 'vitest';
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
