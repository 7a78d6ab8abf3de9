import { paymentMsat } from './costs.ts';
import { Market } from './market.ts';
import type { Bargain } from './peer.ts';
import type { SchemeSubject } from './subjects.ts';

const accountSat = 100_000n;
const spentTwice = 3;
/** Within this a payer has sent its contract. */
const contractSentMs = 5_000;
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
 * Over channels both make a contract of one coin; a block would tell the second that the coin is gone, so it comes before that.
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
  let refused = false;
  const again = (): boolean => {
    const bargain = twin.pay(payees[2], paymentMsat);
    refused = bargain.kind === 'refused' && bargain.code !== 'waiting';
    return credit(bargain);
  };
  let startMs = 0;
  let afterMs = 0;
  const spendAgain = (): void => {
    startMs = market.nowMs;
    for (let i = 0; i < spentTwice && again(); i++);
    afterMs = market.nowMs - startMs;
  };
  if (market.brokered === undefined) whileNoBlockComes(market, spendAgain);
  for (let i = 0; i < spentTwice; i++) credit(payer.pay(payees[1], paymentMsat));
  if (market.brokered !== undefined) spendAgain();
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

/** Does it when the next payment's contract is sent, and no block has it yet. */
function whileNoBlockComes(market: Market, work: () => void): void {
  market.blocksHeld = true;
  market.world.after(contractSentMs * 1_000, () => {
    work();
    market.blocksHeld = false;
  });
}
