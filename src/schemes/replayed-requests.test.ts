import { expect, it } from 'vitest';
import { accountRepliesMax } from '../base/limits.ts';
import { AccountHolder, BrokerLab } from '../broker/broker-lab.fixture.ts';
import type { BrokeredScheme } from '../payment/brokered.ts';
import { HashChain } from '../payment/hash-chain.ts';
import { p2pNetpay } from './p2p-netpay/index.ts';
import * as netpay from './p2p-netpay/messages.ts';
import { holdSeconds as netpaySeconds } from './p2p-netpay/terms.ts';
import { payword } from './payword/index.ts';
import * as promises from './payword/messages.ts';
import { holdSeconds, noBacking } from './payword/terms.ts';

const unitMsat = 1_000n;
const count = 100;
const wordSeed = new Uint8Array(32).fill(7);
const name = new Uint8Array(16).fill(8);

/** A broker, two with accounts, and a stranger who sees what they send. */
function labOf(scheme: BrokeredScheme) {
  const lab = new BrokerLab(`replays ${scheme.name}`, [scheme], 1, false);
  const [buyer, vendor, stranger] = ['buyer', 'vendor', 'stranger'].map(who => new AccountHolder(lab, who));
  lab.fund(buyer, 100_000n);
  lab.addressOf(vendor);
  return { lab, buyer, vendor, stranger };
}

/** So much later that no reply to the buyer is left of those that were. */
function pushOut(lab: BrokerLab, buyer: AccountHolder): void {
  for (let later = 0; later < accountRepliesMax; later++) lab.addressOf(buyer);
}

function skip(lab: BrokerLab, seconds: number): void {
  lab.run(seconds * 1_000);
  lab.process.turn(() => lab.core.tick());
  lab.run(1_000);
}

it('a NetPay purchase that is sent again by whoever saw it takes no money twice, however late', () => {
  const { lab, buyer, stranger } = labOf(p2pNetpay);
  const { publicKey: user } = buyer.key;
  const body = netpay.buyBody.encode({ operation: netpay.brokerOperation.buy, user, count, unitMsat });
  const request = lab.request(buyer, body);
  expect(lab.ask(buyer, netpay.schemeId, request).reply).toBeDefined();
  const left = lab.heldMsat(buyer.key.publicKey);
  const [{ reply: first }, { reply: again }] = [0, 1].map(() => lab.ask(stranger, netpay.schemeId, request));
  expect(again).toEqual(first);
  pushOut(lab, buyer);
  expect(lab.ask(stranger, netpay.schemeId, request).fault).toBe('stale');
  lab.restart();
  expect(lab.ask(stranger, netpay.schemeId, request).fault).toBe('stale');
  expect(lab.heldMsat(buyer.key.publicKey)).toBe(left);
  skip(lab, 2 * netpaySeconds);
  expect(lab.heldMsat(buyer.key.publicKey)).toBe(left + unitMsat * BigInt(count));
  expect(lab.ask(stranger, netpay.schemeId, request).fault).toBe('stale');
  expect(lab.heldMsat(buyer.key.publicKey)).toBe(left + unitMsat * BigInt(count));
  lab.expectBacked();
});

it('a PayWord lock that is sent again after it was settled pays its payee no second time', () => {
  const { lab, buyer, vendor, stranger } = labOf(payword);
  const words = new HashChain(name, wordSeed, count);
  const { wallStartMs, nowUs } = lab.world;
  const expiry = Math.floor((wallStartMs + nowUs / 1_000) / 1_000) + holdSeconds;
  const [payer, payee] = [buyer, vendor].map(({ key }) => key.publicKey);
  const terms = { payer, payee, name, root: words.root, unitMsat, count, expiry, backing: noBacking };
  const commitment = promises.commitment.sign(buyer.key, terms);
  const { brokerOperation, schemeId } = promises;
  const lock = lab.request(buyer, promises.lockBody.encode({ operation: brokerOperation.lock, commitment }));
  const settle = lab.request(
    vendor,
    promises.settleBody.encode({
      operation: brokerOperation.settle,
      commitment,
      backing: new Uint8Array(0),
      index: count,
      word: words.word(count),
      final: 1,
    }),
  );
  const worth = unitMsat * BigInt(count);
  const before = lab.heldMsat(payer);
  expect(lab.ask(buyer, schemeId, lock).fault).toBeUndefined();
  expect(lab.ask(vendor, schemeId, settle).fault).toBeUndefined();
  expect([lab.heldMsat(payer), lab.heldMsat(payee)]).toEqual([before - worth, worth]);
  pushOut(lab, buyer);
  pushOut(lab, vendor);
  lab.restart();
  expect(lab.ask(stranger, schemeId, lock).fault).toBe('stale');
  lab.ask(stranger, schemeId, settle);
  expect([lab.heldMsat(payer), lab.heldMsat(payee)]).toEqual([before - worth, worth]);
  skip(lab, 3 * holdSeconds);
  for (const request of [lock, settle]) lab.ask(stranger, schemeId, request);
  expect([lab.heldMsat(payer), lab.heldMsat(payee)]).toEqual([before - worth, worth]);
  lab.expectBacked();
});
