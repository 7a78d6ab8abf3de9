import { fragmentsOf } from '../../src/cell/payment-messages.ts';
import { brokerName, Market } from './market.ts';
import { Meter } from './meter.ts';
import type { Peer, Wire } from './peer.ts';
import type { SchemeSubject } from './subjects.ts';

/** What one payment buys: a window of 1,024 cells at 100,000 sat/GiB. */
export const paymentMsat = 48_829n;
const accountSat = 1_000_000n;
const warmUps = 20;
/** In which everything that was earned is handed in. */
const settleMs = 60_000;

/**
 * What payments of a client to the three relays of its circuits cost everybody, for each payment.
 * @param circuits so many, one after the other, @param paymentsEach so many payments at each hop of each.
 */
export function costsOf(
  subject: SchemeSubject,
  { circuits, paymentsEach }: { readonly circuits: number; readonly paymentsEach: number },
  repeat: number,
) {
  const market = new Market({ ...subject, seed: `costs ${subject.name} ${repeat}` });
  const [client] = market.open(['client'], accountSat);
  const relays = market.open(['relay 1', 'relay 2', 'relay 3'], 0n);
  const wire: Wire = { payments: [], targets: [] };
  const passed = (more: Wire): void => {
    wire.payments.push(...more.payments);
    wire.targets.push(...more.targets);
  };
  const pay = (relay: Peer): void => {
    const bargain = client.pay(relay, paymentMsat);
    if (bargain.kind === 'refused')
      throw new Error(`${subject.name}: a payment is refused by its ${bargain.by}: ${bargain.code}`);
    passed(bargain.wire);
  };
  // What is first done is slower than all that follows.
  for (let i = 0; i < warmUps; i++) for (const relay of relays) pay(relay);
  end(market, client, relays);
  wire.payments.length = 0;
  wire.targets.length = 0;
  const { height } = market.chain;
  const meter = new Meter(market.world);
  market.parties.tap = exchange => meter.onExchange(exchange);
  try {
    for (let circuit = 0; circuit < circuits; circuit++) {
      for (let i = 0; i < paymentsEach; i++) for (const relay of relays) pay(relay);
      passed(end(market, client, relays));
    }
  } finally {
    meter.stop();
  }
  const payments = circuits * paymentsEach * relays.length;
  const each = (count: number): number => count / payments;
  return {
    ...onCircuit(wire, each),
    ...efforts(meter, each),
    ...onChain(market.onChainSince(height), each),
  };
}

type Each = (count: number) => number;

function onCircuit({ payments, targets }: Wire, each: Each) {
  const messages = [...payments, ...targets];
  return {
    'payment messages': each(messages.length),
    'payment bytes': each(messages.reduce((sum, { length }) => sum + length, 0)),
    'payment cells': each(messages.reduce((sum, { length }) => sum + fragmentsOf(length), 0)),
  };
}

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
export function onChain({ transactions, feesSat }: ReturnType<Market['onChainSince']>, each: Each) {
  return {
    'transactions on the chain': each(transactions.length),
    'bytes on the chain': each(transactions.reduce((sum, { vsize }) => sum + vsize, 0)),
    'fees on the chain': each(feesSat),
  };
}

/** The circuits end, and what was earned is handed in. */
function end(market: Market, client: Peer, relays: readonly Peer[]): Wire {
  const wire = client.part();
  for (const relay of relays) relay.deposit();
  market.runFor(settleMs);
  return wire;
}
