import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { accountMessage, syncBody } from '../../payment/coins/coin-messages.ts';
import { any, describeMessages } from '../message-kit.fixture.ts';
import { handedOver, pathOf } from './coin-path.ts';
import {
  assignedAnswer,
  assignedCoin,
  boughtReply,
  buyBody,
  coinPath,
  contradictedAnswer,
  layersMax,
  pathRequest,
  paymentMessage,
  rawCoin,
  reportRequest,
  syncReply,
  targetMessage,
} from './messages.ts';

const [broker, owner, holder, next] = [1, 2, 3, 4].map(byte => new SigningKey(new Uint8Array(32).fill(byte)));
const coin = rawCoin.sign(broker, {
  serial: new Uint8Array(20).fill(9),
  owner: owner.publicKey,
  value: 1_024n,
  expirySeconds: 2_000_000_000,
});
const assigned = assignedCoin.sign(owner, { coin, holder: holder.publicKey, position: 1n });

describe('a coin of PPay', () => {
  it('has 129 bytes raw, 234 assigned', () => {
    expect(rawCoin.encode(coin).length).toBe(129);
    expect(assignedCoin.encode(assigned).length).toBe(234);
  });

  it('has 331 with a request for reassignment, and 97 more for each layer', () => {
    const count = 2;
    let path = handedOver(pathOf(assigned), holder, next.publicKey);
    expect(coinPath.encode(path).length - count).toBe(331);
    for (let layers = 1; layers < layersMax; layers++) path = handedOver(path, next, next.publicKey);
    expect(coinPath.encode(path).length - count).toBe(234 + 97 * layersMax);
    // Three cells of 492 bytes each.
    expect(coinPath.encode(path).length).toBeLessThan(3 * 492);
  });
});

const { bytes, endpoint, key, signature, u32, u64, u8 } = any;
const anyCoin = fc.record({ serial: bytes(20), owner: key, value: u64, expirySeconds: u32, signature });
const anyAssigned = fc.record({ coin: anyCoin, holder: key, position: u64, signature });
const anyPath = fc.record({
  assigned: anyAssigned,
  layers: fc.array(fc.record({ next: key, signature }), { maxLength: 9 }),
});
const ownerAt = fc.array(endpoint, { maxLength: 1 });

describeMessages('PPay', [
  ['coin', rawCoin, anyCoin],
  ['assignment', assignedCoin, anyAssigned],
  ['path', coinPath, anyPath],
  [
    'target',
    targetMessage,
    fc.record({
      scheme: u8,
      op: u8,
      version: u8,
      relayId: bytes(32),
      payeeKey: key,
      brokerKey: key,
      nonce: bytes(16),
      signature,
    }),
  ],
  [
    'payment',
    paymentMessage,
    fc.record({
      scheme: u8,
      op: u8,
      nonce: bytes(16),
      coins: fc.array(fc.record({ path: anyPath, ownerAt }), { maxLength: 4 }),
    }),
  ],
  ['request', pathRequest, fc.record({ op: u8, path: anyPath })],
  ['report', reportRequest, fc.record({ op: u8, first: anyPath, second: anyPath })],
  ['assigned', assignedAnswer, fc.record({ op: u8, assigned: anyAssigned })],
  ['contradicted', contradictedAnswer, fc.record({ op: u8, path: anyPath })],
  ['buy', buyBody, fc.record({ op: u8, exponents: fc.array(u8, { maxLength: 64 }) })],
  ['bought', boughtReply, fc.record({ coins: fc.array(anyCoin, { maxLength: 8 }) })],
  ['sync', syncBody, fc.record({ op: u8, after: u64 })],
  [
    'synced',
    syncReply,
    fc.record({
      last: u64,
      paths: fc.array(anyPath, { maxLength: 3 }),
      wanted: fc.array(bytes(20), { maxLength: 3 }),
    }),
  ],
  ['account', accountMessage, fc.record({ op: u8, envelope: fc.uint8Array({ maxLength: 300 }) })],
]);
