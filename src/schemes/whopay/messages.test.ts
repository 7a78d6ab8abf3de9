import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountMessage, syncBody } from '../../payment/coins/coin-messages.ts';
import {
  binding,
  boughtReply,
  boundAnswer,
  buyBody,
  claim,
  coin,
  contradictedAnswer,
  deposit,
  listReply,
  listRequest,
  order,
  paidCoin,
  paymentMessage,
  reportRequest,
  step,
  stepRequest,
  syncReply,
  targetMessage,
  transfer,
} from './messages.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const key = bytes(33);
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u8 = fc.nat(255);
const [nonce, signature] = [bytes(16), bytes(64)];
const anyClaim = fc.record({ coinKey: key, account: key, signature });
const anyCoin = fc.record({ coinKey: key, ownerId: bytes(12), value: u64, expirySeconds: u32, signature });
const anyBinding = fc.record({
  coinKey: key,
  holder: key,
  sequence: u64,
  expirySeconds: u32,
  nonce,
  signature,
});
const anySaid = fc.record({ coinKey: key, holder: key, next: key, nonce, signature });
const anyOrder = fc.record({ kind: u8, said: anySaid });
const anyStep = fc.record({ binding: anyBinding, order: anyOrder });
const ownerAt = fc.array(fc.record({ host: fc.constantFrom('127.0.0.1', '::1'), port: fc.nat(65_535) }), {
  maxLength: 1,
});
const anyPaid = fc.record({ coin: anyCoin, binding: anyBinding, ownerAt });
const anyNews = fc.record({ step: anyStep, bound: fc.array(anyBinding, { maxLength: 1 }) });

describe('each message of WhoPay', () => {
  it.each<
    [
      string,
      { encode(value: never): Uint8Array; decode(bytes: Uint8Array): unknown },
      fc.Arbitrary<unknown>,
      number?,
    ]
  >([
    ['coin', coin, anyCoin, 121],
    ['binding', binding, anyBinding, 158],
    ['transfer', transfer, anySaid, 179],
    ['deposit', deposit, anySaid, 179],
    ['claim', claim, anyClaim, 130],
    ['order', order, anyOrder],
    ['step', step, anyStep],
    ['paid coin', paidCoin, anyPaid],
    [
      'question to the list',
      listRequest,
      fc.record({
        op: u8,
        coins: fc.array(fc.record({ coin: anyCoin, binding: anyBinding }), { maxLength: 4 }),
      }),
    ],
    ['what the list says', listReply, fc.record({ known: fc.array(anyBinding, { maxLength: 4 }) })],
    [
      'target',
      targetMessage,
      fc.record({
        scheme: u8,
        op: u8,
        version: u8,
        relayId: bytes(32),
        brokerKey: key,
        payeeKey: key,
        nonce,
        signature,
      }),
    ],
    [
      'payment',
      paymentMessage,
      fc.record({ scheme: u8, op: u8, coins: fc.array(anyPaid, { maxLength: 4 }) }),
    ],
    ['request', stepRequest, fc.record({ op: u8, coin: anyCoin, step: anyStep })],
    [
      'report',
      reportRequest,
      fc.record({ op: u8, coin: anyCoin, steps: fc.array(anyStep, { maxLength: 4 }) }),
    ],
    ['bound', boundAnswer, fc.record({ op: u8, binding: anyBinding })],
    ['contradicted', contradictedAnswer, fc.record({ op: u8, step: anyStep })],
    [
      'buy',
      buyBody,
      fc.record({ op: u8, coins: fc.array(fc.record({ exponent: u8, claim: anyClaim }), { maxLength: 4 }) }),
    ],
    ['bought', boughtReply, fc.record({ coins: fc.array(anyCoin, { maxLength: 8 }) })],
    ['sync', syncBody, fc.record({ op: u8, after: u64 })],
    [
      'synced',
      syncReply,
      fc.record({
        last: u64,
        news: fc.array(anyNews, { maxLength: 3 }),
        wanted: fc.array(key, { maxLength: 3 }),
      }),
    ],
    ['account', accountMessage, fc.record({ op: u8, envelope: fc.uint8Array({ maxLength: 300 }) })],
  ])('%s comes back as it was, and cut it is none', (_name, message, arbitrary, length) => {
    fc.assert(
      fc.property(arbitrary, fc.double({ min: 0, max: 0.999, noNaN: true }), (value, cut) => {
        const encoded = message.encode(value as never);
        if (length !== undefined) expect(encoded.length).toBe(length);
        expect(message.decode(encoded)).toEqual(value);
        expect(message.decode(encoded.subarray(0, Math.floor(encoded.length * cut)))).toBeUndefined();
      }),
      { numRuns: 30 },
    );
  });

  it('pays with 279 bytes a coin, and where its owner is', () => {
    fc.assert(
      fc.property(anyPaid, paid => {
        expect(paidCoin.encode({ ...paid, ownerAt: [] }).length).toBe(279 + 1);
      }),
      { numRuns: 5 },
    );
  });
});
