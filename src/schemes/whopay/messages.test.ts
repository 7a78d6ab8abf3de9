import fc from 'fast-check';
import { expect, it } from 'vitest';
import { accountMessage, syncBody } from '../../payment/coins/coin-messages.ts';
import { any, describeMessages } from '../message-kit.fixture.ts';
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
  refundRequest,
  reportRequest,
  step,
  stepRequest,
  syncReply,
  targetMessage,
  transfer,
} from './messages.ts';

const { bytes, endpoint, key, nonce, signature, u32, u64, u8 } = any;
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
const anyRefund = fc.record({ coinKey: key, holder: key, next: key, account: key, signature });
const anyOrder = fc.record({ kind: u8, said: anySaid });
const anyStep = fc.record({ binding: anyBinding, order: anyOrder });
const ownerAt = fc.array(endpoint, { maxLength: 1 });
const anyPaid = fc.record({ coin: anyCoin, binding: anyBinding, ownerAt });
const anyNews = fc.record({ step: anyStep, bound: fc.array(anyBinding, { maxLength: 1 }) });

describeMessages('WhoPay', [
  ['coin', coin, anyCoin, 121],
  ['binding', binding, anyBinding, 158],
  ['transfer', transfer, anySaid, 179],
  ['deposit', deposit, anySaid, 179],
  ['claim', claim, anyClaim, 130],
  ['refund', refundRequest, fc.record({ op: u8, refund: anyRefund })],
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
  ['payment', paymentMessage, fc.record({ scheme: u8, op: u8, coins: fc.array(anyPaid, { maxLength: 4 }) })],
  ['request', stepRequest, fc.record({ op: u8, coin: anyCoin, step: anyStep })],
  ['report', reportRequest, fc.record({ op: u8, coin: anyCoin, steps: fc.array(anyStep, { maxLength: 4 }) })],
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
]);

it('pays with 279 bytes a coin, and where its owner is', () => {
  fc.assert(
    fc.property(anyPaid, paid => {
      expect(paidCoin.encode({ ...paid, ownerAt: [] }).length).toBe(279 + 1);
    }),
    { numRuns: 5 },
  );
});
