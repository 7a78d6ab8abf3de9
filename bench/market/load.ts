import { onChain, paymentMsat } from './costs.ts';
import { brokerName, Market } from './market.ts';
import { Meter } from './meter.ts';
import type { Peer } from './peer.ts';
import type { SchemeSubject } from './subjects.ts';

export interface LoadOptions {
  readonly peers: number;
  /** How many of a hundred peers are away at any time, to return later: they do not answer for what they manage. */
  readonly awayPercent: number;
  /** When so much of our own time is over, what was paid by then must do. */
  readonly secondsMax: number;
}

const accountSat = 100_000n;
export const paymentsPerPeer = 4;
/** Who is away changes so often while the payments are made. */
const shifts = 8;
/** However many peers there are, each pays as often in a minute: what falls due by time does so as often for each payment. */
const shiftMs = 60_000;
/** Within this after the last payment everything that was earned is handed in. */
const settleMs = 60_000;
/** Of so many payments all but one are made by somebody who has earned more than spent, if such a one is there. */
const ownMoneyEvery = 4;
/** Least peers that must be there to pay each other. */
const presentMin = 2;

/**
 * A day, shortened: peers pay each other at random, mostly by what they were paid where the scheme lets them, and hand in the
 * rest at its end. What the broker and the busiest peer have to do for each payment.
 */
export function loadOf(subject: SchemeSubject, { peers: size, awayPercent, secondsMax }: LoadOptions) {
  const market = new Market({ ...subject, seed: `load ${subject.name} ${size} ${awayPercent}` });
  const names = Array.from({ length: size }, (_, at) => `peer ${at + 1}`);
  const peers = market.open(names, accountSat);
  const meter = new Meter(market.world);
  market.parties.tap = exchange => meter.onExchange(exchange);
  const { height } = market.chain;
  const endMs = performance.now() + secondsMax * 1_000;
  try {
    const chance = market.world.entropy.fork('trade');
    const payments = paymentsPerPeer * size;
    const away = Math.min(Math.round((size * awayPercent) / 100), size - presentMin);
    const purses = new Map<Peer, number>();
    let tried = 0;
    let credited = 0;
    const inTime = (): boolean => performance.now() < endMs;
    for (let shift = 0; shift < shifts && inTime(); shift++) {
      const overMs = market.nowMs + shiftMs;
      const present = takeTurns(market, peers, away, chance);
      for (const last = (payments * (shift + 1)) / shifts; tried < last && inTime(); ) {
        const [payer, payee] = twoOf(present, purses, chance);
        tried += 1;
        if (payer.pay(payee, paymentMsat).kind === 'credited') {
          credited += 1;
          purses.set(payer, (purses.get(payer) ?? 0) - 1);
          purses.set(payee, (purses.get(payee) ?? 0) + 1);
        }
        payer.leave();
      }
      market.runFor(Math.max(0, overMs - market.nowMs));
    }
    for (const peer of peers) peer.part();
    market.runFor(settleMs);
    const broker = meter.of(brokerName);
    const asked = peers.map(({ name }) => meter.of(name).requests);
    const made = { 'payments made': (100 * credited) / tried, 'payments tried': tried / size };
    if (credited === 0) return made;
    const each = (count: number): number => count / credited;
    return {
      'requests to the broker': each(broker.requests),
      'bytes at the broker': each(broker.requestBytes),
      'CPU, broker': each(broker.cpuMs) * 1_000,
      'requests to peers': each(asked.reduce((sum, count) => sum + count, 0)),
      'requests to the busiest peer': each(Math.max(...asked)),
      ...onChain(market.onChainSince(height), each),
      ...made,
    };
  } finally {
    meter.stop();
  }
}

interface Chance {
  below(bound: number): number;
}

/** Who pays, and who is paid. */
function twoOf(
  present: readonly Peer[],
  purses: ReadonlyMap<Peer, number>,
  chance: Chance,
): readonly [payer: Peer, payee: Peer] {
  const earners = present.filter(peer => (purses.get(peer) ?? 0) > 0);
  const isOwnMoney = earners.length === 0 || chance.below(ownMoneyEvery) === 0;
  const payers = isOwnMoney ? present : earners;
  const payer = payers[chance.below(payers.length)];
  const after = 1 + chance.below(present.length - 1);
  return [payer, present[(present.indexOf(payer) + after) % present.length]];
}

/** So many others are away now. Returns those who are there. */
function takeTurns(market: Market, peers: readonly Peer[], away: number, chance: Chance): Peer[] {
  const order = [...peers];
  for (let left = order.length; left > 1; left--) {
    const at = chance.below(left);
    [order[left - 1], order[at]] = [order[at], order[left - 1]];
  }
  for (const [at, peer] of order.entries()) market.setAway(peer, at < away);
  return order.slice(away);
}
