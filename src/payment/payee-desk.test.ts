import { expect, it } from 'vitest';
import { fragment } from '../cell/payment-messages.ts';
import { noParties } from '../node-io/no-parties.ts';
import type { Answer, ChainPort, Clock, StorePort, StoreWrite } from '../ports.ts';
import { CellBalance } from './cell-balance.ts';
import { PayeeDesk } from './payee-desk.ts';
import type { Payee, PaymentScheme, Redeemed, SessionId } from './scheme.ts';

const schemeId = 200;
const asked = 77;

/** A payee desk whose one scheme is told of all payments later, by an answer. */
function deskThatWaits() {
  const durable: StoreWrite[] = [];
  let waiting: SessionId | undefined;
  const record = { key: 'paid', value: Uint8Array.of(1) };
  const result: Redeemed = { kind: 'added', value: 5n, persist: [record], reply: new Uint8Array(0) };
  const payee: Payee = {
    target: () => Uint8Array.of(schemeId),
    redeem(session) {
      waiting = session;
      return { kind: 'pending', ask: asked };
    },
    onAnswer: ({ ask }) =>
      ask === asked && waiting !== undefined ? { session: waiting, result } : undefined,
    onChain() {},
    ended() {},
  };
  const scheme = { id: schemeId, name: 'late', payee: () => payee } as unknown as PaymentScheme;
  let asks = 0;
  const store: StorePort = {
    get: () => undefined,
    list: () => [],
    commit(writes, ask) {
      durable.push(...writes);
      desk.onAnswer({ kind: 'stored', ask });
    },
  };
  const clock: Clock = { monotonicMs: () => 0, wallMs: () => 0, after: () => () => {} };
  const desk: PayeeDesk = new PayeeDesk({
    clock,
    entropy: { bytes: length => new Uint8Array(length) },
    chain: {} as ChainPort,
    parties: noParties,
    observer: { log() {}, count() {} },
    newAsk: () => ++asks,
    schemes: [scheme],
    signer: { ed25519: new Uint8Array(32), sign: () => new Uint8Array(64) },
    store,
  });
  const balance = new CellBalance(1n << 20n);
  const receipts: Uint8Array[] = [];
  const session = desk.open({ sendReceipt: body => void receipts.push(body), fail: () => {} }, balance);
  for (const body of fragment(1, Uint8Array.of(schemeId, 1))) expect(session.onRedeem(body)).toBeUndefined();
  const answer: Answer = { kind: 'party', ask: asked, reply: new Uint8Array(0) };
  return { answer: () => desk.onAnswer(answer), balance, durable, receipts, record, session };
}

it('a payment that had to wait is kept, credited and receipted, in that order', () => {
  const { answer, balance, durable, receipts, record } = deskThatWaits();
  expect([durable, receipts, balance.creditedMsat]).toEqual([[], [], 0n]);
  expect(answer()).toBe(true);
  expect([durable, receipts.length, balance.creditedMsat]).toEqual([[record], 1, 5n]);
});

it('a payment that had to wait is kept though its circuit is gone, and receipted to nobody', () => {
  const { answer, balance, durable, receipts, record, session } = deskThatWaits();
  session.ended();
  expect(answer()).toBe(true);
  expect([durable, receipts, balance.creditedMsat]).toEqual([[record], [], 0n]);
});
