import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { any, describeMessages } from '../message-kit.fixture.ts';
import {
  assistantList,
  assistBody,
  assistReply,
  auth,
  authoriseRequest,
  authStatement,
  boughtReply,
  buyBody,
  claimRequest,
  coin,
  depositRequest,
  epoch,
  epochRequest,
  grant,
  groupSize,
  history,
  historyRequest,
  listRequest,
  paidCoin,
  paymentMessage,
  release,
  releaseRequest,
  showRequest,
  targetMessage,
  wish,
} from './messages.ts';

const [broker, payer, payee] = [1, 2, 3].map(byte => new SigningKey(new Uint8Array(32).fill(byte)));
const [guid, zeros] = [new Uint8Array(16).fill(9), new Uint8Array(16)];
const made = coin.sign(broker, {
  guid,
  value: 1_024n,
  expirySeconds: 2_000_000_000,
  firstAssistant: new Uint8Array(3),
  assistants: 1,
});
const said = {
  guid,
  payer: payer.publicKey,
  payee: payee.publicKey,
  sinceMs: 1n,
  timeMs: 2n,
  nonce: zeros,
};
const { signature: by } = authStatement.sign(broker, said);
const paidBy = (signers: number) =>
  paidCoin.encode({
    coin: made,
    auth: { ...said, signatures: Array.from({ length: signers }, (_, place) => ({ place, signature: by })) },
  });

describe('a coin of CPay', () => {
  it('has 96 bytes, a wish 162, an authorisation 178', () => {
    expect(coin.encode(made).length).toBe(96);
    const wished = wish.sign(payer, { guid, payer: payer.publicKey, payee: payee.publicKey, nonce: zeros });
    expect(wish.encode(wished).length).toBe(162);
    expect(authStatement.encode({ ...said, signature: by }).length).toBe(178);
  });

  it('is paid with 274, and in a group 64 more for each signature, each with its place', () => {
    const count = 1;
    for (let signers = 1; signers <= groupSize; signers++)
      expect(paidBy(signers).length - count - signers).toBe(274 + 64 * (signers - 1));
    // One cell of 492 bytes, even of a group.
    expect(paidBy(groupSize).length).toBeLessThan(492);
  });

  it('goes by an epoch of 104 bytes, however many assist in it', () => {
    const signed = epoch.sign(broker, { number: 1, since: 1, digest: new Uint8Array(32) });
    expect(epoch.encode(signed).length).toBe(104);
  });
});

const { bytes, endpoint, key, signature, u32, u64, u8 } = any;
const anyCoin = fc.record({
  guid: bytes(16),
  value: u64,
  expirySeconds: u32,
  firstAssistant: bytes(3),
  assistants: u8,
  signature,
});
const anyWish = fc.record({ guid: bytes(16), payer: key, payee: key, nonce: bytes(16), signature });
const authFields = {
  guid: bytes(16),
  payer: key,
  payee: key,
  sinceMs: u64,
  timeMs: u64,
  nonce: bytes(16),
};
const anyStatement = fc.record({ ...authFields, signature });
const anyAuth = fc.record({
  ...authFields,
  signatures: fc.array(fc.record({ place: u8, signature }), { maxLength: 3 }),
});
const anyPaid = fc.record({ coin: anyCoin, auth: anyAuth });
const anyRelease = fc.record({ guid: bytes(16), payer: key, sinceMs: u64, signature });
const anyReleases = fc.array(fc.record({ by: key, said: anyRelease }), { maxLength: 3 });
const anyGrant = fc.record({
  held: anyPaid,
  wish: anyWish,
  auth: anyStatement,
  releases: anyReleases,
});

const anyList = fc.record({
  since: u32,
  assistants: fc.array(fc.record({ key, at: endpoint, place: bytes(8) }), { maxLength: 5 }),
});

describeMessages('CPay', [
  ['coin', coin, anyCoin],
  ['wish', wish, anyWish],
  ['authorisation of one', authStatement, anyStatement],
  ['authorisation', auth, anyAuth],
  ['release', release, anyRelease],
  ['epoch', epoch, fc.record({ number: u32, since: u32, digest: bytes(32), signature })],
  ['list', assistantList, anyList],
  [
    'history of a coin',
    history,
    fc.record({
      guid: bytes(16),
      assistants: u8,
      from: u32,
      to: u32,
      lists: fc.array(anyList, { maxLength: 3 }),
      signature,
    }),
  ],
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
      anonymous: u8,
      nonce: bytes(16),
      signature,
    }),
  ],
  ['payment', paymentMessage, fc.record({ scheme: u8, op: u8, coins: fc.array(anyPaid, { maxLength: 4 }) })],
  [
    'request',
    authoriseRequest,
    fc.record({ op: u8, held: anyPaid, wish: anyWish, timeMs: u64, releases: anyReleases }),
  ],
  ['request to release', releaseRequest, fc.record({ op: u8, held: anyPaid, epoch: u32 })],
  ['question for an epoch', epochRequest, fc.record({ op: u8, number: u32 })],
  ['question for a list', listRequest, fc.record({ op: u8, since: u32 })],
  [
    'question for a history',
    historyRequest,
    fc.record({ op: u8, guid: bytes(16), assistants: u8, from: u32, to: u32 }),
  ],
  ['deposit', depositRequest, fc.record({ op: u8, account: key, paid: anyPaid })],
  ['claim', claimRequest, fc.record({ op: u8, account: key, paid: anyPaid, wish: anyWish })],
  ['grant', grant, anyGrant],
  ['grounds', showRequest, fc.record({ op: u8, grant: anyGrant })],
  [
    'buy',
    buyBody,
    fc.record({
      op: u8,
      assistants: u8,
      coins: fc.array(fc.record({ exponent: u8, holder: key }), { maxLength: 8 }),
    }),
  ],
  ['bought', boughtReply, fc.record({ coins: fc.array(anyPaid, { maxLength: 4 }) })],
  ['offer', assistBody, fc.record({ op: u8, at: endpoint })],
  ['offered', assistReply, fc.record({ wanted: fc.array(anyStatement, { maxLength: 3 }) })],
]);
