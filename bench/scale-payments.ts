import type { PaidRelay } from './paid-relay.ts';
import { redeemAll } from './redeem-load.ts';
import type { Trial } from './trials.ts';

/** A circuit alone waits for the disk with each. */
const eachMax = 400;

/** Payments of so many circuits at once, made durable by one relay; about `payments` in all. */
export function paymentsTrial(relay: PaidRelay, circuits: number, payments: number): Trial {
  return {
    name: `${circuits} circuits paying`,
    factors: { 'circuits paying': circuits },
    async run() {
      const each = Math.min(Math.ceil(payments / circuits), eachMax);
      const found = await redeemAll(relay, relay.circuits.slice(0, circuits), each);
      return { payments: found.redeems, 'payment CPU': 1e6 / found['redeems a core'] };
    },
  };
}
