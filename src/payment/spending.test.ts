import { expect, test } from 'vitest';
import { freeCells } from '../base/limits.ts';
import { encodeReceipt, fragment } from '../cell/payment-messages.ts';
import { noParties } from '../node-io/no-parties.ts';
import type { AskId, ChainPort, StorePort } from '../ports.ts';
import { PayerDesk } from './payer-desk.ts';
import type { PayerSession } from './payer-session.ts';
import type { Payer, PaymentScheme, SessionId, Value } from './scheme.ts';
import { CircuitAllowance, Spending, type SpendingLimits } from './spending.ts';
import { tallyScheme } from './tally-scheme.fixture.ts';

const dayMs = 86_400_000;
const price = 1n << 20n;
const noStore: StorePort = { get: () => undefined, list: () => [], commit: () => {} };
const relay = new Uint8Array(32);

/** A client that must ask somebody for each payment, and relays that answer at once. */
class AskingClient {
  readonly desk: PayerDesk;
  readonly asked = new Map<AskId, { readonly session: SessionId; readonly value: Value }>();
  takenMsat = 0n;
  #asks = 0;

  constructor(limits: SpendingLimits) {
    this.desk = new PayerDesk({
      schemes: [this.#scheme()],
      limits,
      store: noStore,
      clock: { monotonicMs: () => 0, wallMs: () => 0, after: () => () => {} },
      entropy: { bytes: length => new Uint8Array(length) },
      chain: {} as ChainPort,
      parties: noParties,
      observer: { log() {}, count() {} },
      newAsk: () => ++this.#asks,
    });
  }

  #scheme(): PaymentScheme {
    const tally = tallyScheme();
    const pay: Payer['pay'] = (session, _target, value) => {
      const ask = ++this.#asks;
      this.asked.set(ask, { session, value });
      return { kind: 'pending', ask };
    };
    const onAnswer: Payer['onAnswer'] = ({ ask }) => {
      const asked = this.asked.get(ask);
      if (asked === undefined) return undefined;
      this.asked.delete(ask);
      const { session, value } = asked;
      this.takenMsat += value;
      return { session, result: { kind: 'send', payment: new Uint8Array(9), value, persist: [] } };
    };
    return { ...tally, payer: host => Object.assign(tally.payer(host), { pay, onAnswer }) };
  }

  /** A hop that has told how it is paid. */
  open(allowance: CircuitAllowance): PayerSession {
    const window = 1_024;
    const hop = { scheme: tallyScheme().id, ed25519: relay, price, window, budget: 10n ** 9n, allowance };
    const host = {
      sendRedeem: () => session.countCells(1),
      onLow: () => session.pay(),
      onSpendable() {},
      onFailed() {},
    };
    const session = this.desk.open(host, hop) as PayerSession;
    session.start();
    session.countCells(1);
    const balance = BigInt(freeCells - 1);
    const receipt = { status: 0, messageId: 0, price, balance, creditedMsat: 0n, target: relay };
    for (const body of fragment(0, encodeReceipt(receipt))) expect(session.onReceipt(body)).toBe(true);
    return session;
  }

  /** All that was asked for is there. */
  answer(): void {
    for (const ask of [...this.asked.keys()]) this.desk.onAnswer({ kind: 'party', ask });
  }
}

test.each(['circuit', 'relay', 'day'] as const)(
  'payments that wait for other parties at the same time keep together within the limit for %s',
  kind => {
    const most = 2_500n;
    const client = new AskingClient(kind === 'circuit' ? {} : { [`${kind}Msat`]: most });
    const allowance = new CircuitAllowance(kind === 'circuit' ? most : undefined);
    const sessions = [0, 1, 2].map(() => client.open(allowance));
    client.answer();
    expect(client.takenMsat).toBeGreaterThan(0n);
    expect(client.takenMsat).toBeLessThanOrEqual(most);
    for (const session of sessions) session.ended();
  },
);

test('what a payment was to cost is free again when the circuit ends before it is made', () => {
  const client = new AskingClient({ relayMsat: 5_000n });
  for (let circuits = 0; circuits < 3; circuits++) {
    const session = client.open(new CircuitAllowance(undefined));
    expect(client.asked.size).toBe(circuits + 1);
    session.ended();
  }
});

test("yesterday's payment that is refused today is no allowance for today", () => {
  let nowMs = dayMs - 1;
  const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs, after: () => () => {} };
  const spending = new Spending({ dayMsat: 1_000n }, clock, noStore);
  const circuit = new CircuitAllowance(undefined);
  const spent = spending.take('', circuit, 800n);
  nowMs += 1;
  spending.giveBack(spent);
  expect(spending.leftMsat('', circuit)).toBe(1_000n);
});
