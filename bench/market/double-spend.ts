import { paymentMsat } from './costs.ts';
import { Market } from './market.ts';
import type { Bargain } from './peer.ts';
import type { SchemeSubject } from './subjects.ts';

const accountSat = 100_000n;
const spentTwice = 3;
/** Payees hand in what they have when the circuits have ended, and this long later all has come to light that ever will … */
const settleMs = 600_000;
/** … looked at so often. */
const lookMs = 10_000;

export interface DoubleSpend {
  /** Where it came to light, or that there is nothing to bring to light: everybody got what was credited. */
  readonly caught: 'at once' | 'when handed in' | 'nobody lost' | 'never';
  /** Between the first payment by the second life and the discovery, in virtual time. */
  readonly afterMs: number;
  /** What payees had credited and the broker does not pay. */
  readonly lostMsat: bigint;
  /** The broker can show who it was. */
  readonly proved: boolean;
}

/**
 * A payer that lives twice: its second life remembers all up to a moment and nothing after it. The first pays one payee three
 * times, then the second pays another as often, by the same coins where there are coins. Then all payees hand in what they have.
 */
export function doubleSpendOf(subject: SchemeSubject, repeat: number): DoubleSpend {
  const market = new Market({ ...subject, seed: `double spend ${subject.name} ${repeat}` });
  const [payer] = market.open(['payer'], accountSat);
  const payees = market.open(['first', 'second', 'third'], 0n);
  let creditedMsat = 0n;
  const credit = (bargain: Bargain): boolean => {
    if (bargain.kind === 'credited') creditedMsat += bargain.value;
    return bargain.kind === 'credited';
  };
  // What is bought and begun by then is remembered by both lives.
  credit(payer.pay(payees[0], paymentMsat));
  market.settle();
  const twin = market.twinOf(payer);
  for (let i = 0; i < spentTwice; i++) credit(payer.pay(payees[1], paymentMsat));
  const startMs = market.nowMs;
  let refused = false;
  for (let i = 0; i < spentTwice && !refused; i++) refused = !credit(twin.pay(payees[2], paymentMsat));
  const afterMs = market.nowMs - startMs;
  const atOnce = refused || market.proofs > 0;
  for (const peer of [payer, twin]) peer.part();
  for (const payee of payees) payee.deposit();
  const endMs = market.nowMs + settleMs;
  while (market.proofs === 0 && market.nowMs < endMs) market.runFor(lookMs);
  const foundMs = market.nowMs - startMs;
  market.runFor(settleMs);
  const lostMsat = payees.reduce((lost, payee) => lost - payee.balanceMsat(), creditedMsat);
  const proved = market.proofs > 0;
  if (atOnce) return { caught: 'at once', afterMs, lostMsat, proved };
  if (proved) return { caught: 'when handed in', afterMs: foundMs, lostMsat, proved };
  return { caught: lostMsat > 0n ? 'never' : 'nobody lost', afterMs: foundMs, lostMsat, proved };
}
