import type { TransactionsSince } from './chain.ts';
import { brokerName } from './market.ts';
import type { Meter } from './meter.ts';
import { PaidCircuits } from './paid-circuits.ts';
import type { SchemeSubject } from './subjects.ts';

/** What one payment buys: a window of 1,024 cells at 100,000 sat/GiB. */
export const paymentMsat = 48_829n;
const window = 1_024;
const price = 50_000_000n;
/** Of a download, in each cell that is paid for; the rest are cells of other kinds. */
const bytesPerCell = 485;
/** What is first done is slower than all that follows. */
const warmUpPayments = 6;
const hops = 3;

/**
 * What payments of a client to the three relays of its circuits cost everybody, for each payment.
 * @param circuits so many, one after the other, @param paymentsEach about so many payments at each hop of each.
 */
export function costsOf(
  subject: SchemeSubject,
  { circuits, paymentsEach }: { readonly circuits: number; readonly paymentsEach: number },
  repeat: number,
) {
  paidFor(subject, 'warm-up', 1, Math.min(warmUpPayments, paymentsEach));
  const paid = paidFor(subject, `costs ${subject.name} ${repeat}`, circuits, paymentsEach);
  const { payments, valueMsat, redeems, receipts, cells, bytes, linkBytes } = paid.carried;
  const each = (count: number): number => count / payments;
  return {
    'payments a hop and circuit': payments / circuits / hops,
    'worth of a payment': each(Number(valueMsat)) / 1_000,
    'payment messages': each(redeems + receipts),
    'payment bytes': each(bytes),
    'payment cells': each(cells),
    'payment bytes on links': each(linkBytes),
    ...efforts(paid.meter, each),
    ...onChain(paid.onChain, each),
  };
}

/** A world in which the client has paid for that much. */
function paidFor(subject: SchemeSubject, seed: string, circuits: number, paymentsEach: number): PaidCircuits {
  const paid = new PaidCircuits(subject, seed, { window, price });
  try {
    for (let circuit = 0; circuit < circuits; circuit++) paid.transfer(paymentsEach * window * bytesPerCell);
    return paid;
  } finally {
    paid.end();
  }
}

type Each = (count: number) => number;

function efforts(meter: Meter, each: Each) {
  const [payer, payee, broker] = ['client', 'relay', brokerName].map(name => meter.sum(name));
  return {
    'signatures, payer': each(payer.signatures),
    'signatures, payee': each(payee.signatures),
    'signatures, broker': each(broker.signatures),
    'verifications, payer': each(payer.verifications),
    'verifications, payee': each(payee.verifications),
    'verifications, broker': each(broker.verifications),
    'hashes, payer': each(payer.hashes),
    'hashes, payee': each(payee.hashes),
    'hashes, broker': each(broker.hashes),
    'CPU, payer': each(payer.cpuMs) * 1_000,
    'CPU, payee': each(payee.cpuMs) * 1_000,
    'CPU, broker': each(broker.cpuMs) * 1_000,
    'requests to the broker': each(broker.requests),
    'bytes at the broker': each(broker.requestBytes),
    'requests to peers': each(payer.requests + payee.requests),
  };
}

/** What payments leave on the chain, where they leave anything there. */
export function onChain({ transactions, feesSat }: TransactionsSince, each: Each) {
  return {
    'transactions on the chain': each(transactions.length),
    'bytes on the chain': each(transactions.reduce((sum, { vsize }) => sum + vsize, 0)),
    'fees on the chain': each(feesSat),
  };
}
