import { paymentMsat } from './costs.ts';
import { brokerName, Market } from './market.ts';
import { Meter } from './meter.ts';
import type { Peer } from './peer.ts';
import type { SchemeSubject } from './subjects.ts';

export interface LoadOptions {
  readonly peers: number;
  /** How many of a hundred peers are away at any time, to return later: they do not answer for what they manage. */
  readonly awayPercent: number;
  readonly repeat: number;
}

const accountSat = 100_000n;
const paymentsPerPeer = 4;
/** Who is away changes so often while the payments are made. */
const shifts = 8;
/** Least peers that must be there to pay each other. */
const presentMin = 2;

/**
 * Peers pay each other at random, by what they were paid where the scheme lets them: what the broker and the busiest peer
 * have to do for each payment.
 */
export function loadOf(subject: SchemeSubject, { peers: size, awayPercent, repeat }: LoadOptions) {
  const market = new Market({ ...subject, seed: `load ${subject.name} ${size} ${awayPercent} ${repeat}` });
  const names = Array.from({ length: size }, (_, at) => `peer ${at + 1}`);
  const peers = market.open(names, accountSat);
  const meter = new Meter(market.world);
  market.parties.tap = exchange => meter.onExchange(exchange);
  try {
    const chance = market.world.entropy.fork('trade');
    const payments = paymentsPerPeer * size;
    const away = Math.min(Math.round((size * awayPercent) / 100), size - presentMin);
    let credited = 0;
    let present: Peer[] = peers;
    for (let done = 0; done < payments; done++) {
      if (done % Math.ceil(payments / shifts) === 0) present = takeTurns(market, peers, away, chance);
      const payer = chance.below(present.length);
      const payee = (payer + 1 + chance.below(present.length - 1)) % present.length;
      if (present[payer].pay(present[payee], paymentMsat).kind === 'credited') credited += 1;
    }
    const broker = meter.of(brokerName);
    const asked = peers.map(({ name }) => meter.of(name).requests);
    const each = (count: number): number => count / Math.max(1, credited);
    return {
      'requests to the broker': each(broker.requests),
      'bytes at the broker': each(broker.requestBytes),
      'CPU, broker': each(broker.cpuMs) * 1_000,
      'requests to peers': each(asked.reduce((sum, count) => sum + count, 0)),
      'requests to the busiest peer': Math.max(...asked) / payments,
      'payments made': (100 * credited) / payments,
    };
  } finally {
    meter.stop();
  }
}

interface Chance {
  below(bound: number): number;
}

/** So many others are away now. Ends with those who are not. */
function takeTurns(market: Market, peers: readonly Peer[], away: number, chance: Chance): Peer[] {
  const order = [...peers];
  for (let left = order.length; left > 1; left--) {
    const at = chance.below(left);
    [order[left - 1], order[at]] = [order[at], order[left - 1]];
  }
  for (const [at, peer] of order.entries()) {
    peer.part();
    market.setAway(peer, at < away);
  }
  market.settle();
  return order.slice(away);
}
