import { fragmentsOf } from '../../src/cell/payment-messages.ts';
import { brokerName, Market } from './market.ts';
import { Meter } from './meter.ts';
import type { Peer } from './peer.ts';
import type { SchemeSubject } from './subjects.ts';

/** What one payment buys: a window of 1,024 cells at 100,000 sat/GiB. */
export const paymentMsat = 48_829n;
const accountSat = 1_000_000n;
const warmUps = 20;
/** In which everything that was earned is handed in. */
const settleMs = 60_000;

/** What payments of a client to the three relays of its circuits cost everybody, for each payment. */
export function costsOf(subject: SchemeSubject, payments: number, repeat: number) {
  const market = new Market({ ...subject, seed: `costs ${subject.name} ${repeat}` });
  const [client] = market.open(['client'], accountSat);
  const relays = market.open(['relay 1', 'relay 2', 'relay 3'], 0n);
  // What is first done is slower than all that follows.
  for (let i = 0; i < warmUps; i++) for (const relay of relays) client.pay(relay, paymentMsat);
  end(market, client, relays);
  const meter = new Meter(market.world);
  market.parties.tap = exchange => meter.onExchange(exchange);
  try {
    let done = 0;
    let steps = 0;
    let bytes = 0;
    let cells = 0;
    while (done < payments) {
      for (const relay of relays) {
        const bargain = client.pay(relay, paymentMsat);
        if (bargain.kind === 'refused')
          throw new Error(`${subject.name}: a payment is refused by its ${bargain.by}: ${bargain.code}`);
        done += 1;
        steps += bargain.wire.payments.length;
        for (const message of [...bargain.wire.payments, ...bargain.wire.targets]) {
          bytes += message.length;
          cells += fragmentsOf(message.length);
        }
      }
    }
    end(market, client, relays);
    const [payer, payee, broker] = ['client', 'relay', brokerName].map(name => meter.sum(name));
    const each = (count: number): number => count / done;
    const third = { requests: broker.requests, bytes: broker.requestBytes };
    const others = payer.requests + payee.requests;
    return {
      'payment messages': each(2 * steps),
      'payment bytes': each(bytes),
      'payment cells': each(cells),
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
      'requests to the broker': each(third.requests),
      'bytes at the broker': each(third.bytes),
      'requests to peers': each(others),
    };
  } finally {
    meter.stop();
  }
}

/** The circuits end, and what was earned is handed in. */
function end(market: Market, client: Peer, relays: readonly Peer[]): void {
  client.part();
  for (const relay of relays) relay.deposit();
  market.runFor(settleMs);
}
