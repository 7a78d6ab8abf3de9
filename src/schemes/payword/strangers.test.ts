import { expect, it } from 'vitest';
import { scriptOfAddress } from '../../bitcoin/wallet.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { CoinWorld } from '../coin-peers.fixture.ts';
import { payword } from './index.ts';
import { brokerOperation, certificate, certifyBody, commitment, settleBody } from './messages.ts';
import { creditMsat, hashOf, holdSeconds, marginSeconds } from './terms.ts';

/** A broker with 1,000,000 sat of its own, and an account after the other that asks it for credit. */
function sceneOf(seed: string) {
  const world = new CoinWorld(payword, seed);
  const { broker } = world;
  broker.chain.issue(scriptOfAddress(broker.addressFor(broker.key))!, 1_000_000n);
  broker.mine();
  const asker = world.peer('asker', 'credit');
  const { entropy } = asker.process.host;
  const ask = (key: SigningKey, body: Uint8Array) =>
    asker.ask(broker.at, makeAccountRequest(key, entropy, body));
  const certify = (key: SigningKey, limitMsat = creditMsat) =>
    ask(key, certifyBody.encode({ operation: brokerOperation.certify, limitMsat }));
  /** All that a certificate is good for, promised to a payee, who hands it in. */
  const collect = (key: SigningKey, backing: Uint8Array, payee: SigningKey) => {
    const { limitMsat, expiry, serial: name } = certificate.decode(backing)!;
    const words = new HashChain(name, new Uint8Array(32), 100);
    const promise = { payer: key.publicKey, payee: payee.publicKey, name };
    const terms = { root: words.root, unitMsat: limitMsat / 100n, count: 100, expiry };
    const said = commitment.sign(key, { ...promise, ...terms, backing: hashOf(backing) });
    const claim = { operation: brokerOperation.settle, final: 1, commitment: said, backing };
    return ask(payee, settleBody.encode({ ...claim, index: 100, word: words.word(100) }));
  };
  return { broker, entropy, certify, collect };
}

it('lends strangers nothing, however many accounts they open', () => {
  const { broker, entropy, certify, collect } = sceneOf('strangers');
  const before = broker.heldMsat(broker.key.publicKey);
  const mule = SigningKey.fresh(entropy);
  for (let n = 0; n < 10; n++) {
    const fresh = SigningKey.fresh(entropy);
    broker.addressFor(fresh);
    const backing = certify(fresh);
    if (typeof backing !== 'string') collect(fresh, backing, mule);
  }
  expect(broker.heldMsat(mule.publicKey)).toBe(0n);
  expect(broker.heldMsat(broker.key.publicKey)).toBe(before);
});

it('lends whom it trusts no more than it said, one certificate after the other', () => {
  const { broker, entropy, certify, collect } = sceneOf('trusted');
  const lent = creditMsat / 2n;
  broker.lendsMsat = lent;
  const before = broker.heldMsat(broker.key.publicKey);
  const [trusted, mule] = [SigningKey.fresh(entropy), SigningKey.fresh(entropy)];
  broker.addressFor(trusted);
  const first = certify(trusted) as Uint8Array;
  expect(certificate.decode(first)?.limitMsat).toBe(lent / 2n);
  expect(certify(trusted)).toEqual(first);
  broker.world.runFor((holdSeconds - 2 * marginSeconds + 1) * 1_000);
  const second = certify(trusted) as Uint8Array;
  expect(certificate.decode(second)?.limitMsat).toBe(lent / 2n);
  for (const backing of [first, second]) expect(collect(trusted, backing, mule)).toBeInstanceOf(Uint8Array);
  expect(certify(trusted)).toBe('overspent');
  expect(broker.heldMsat(mule.publicKey)).toBe(lent);
  expect(broker.heldMsat(broker.key.publicKey)).toBe(before - lent);
  broker.expectBacked();
});

it('promises no more where its operator has come to lend less', () => {
  const { broker, entropy, certify } = sceneOf('less');
  const trusted = SigningKey.fresh(entropy);
  broker.addressFor(trusted);
  broker.lendsMsat = 2n * creditMsat;
  expect(certify(trusted)).toBeInstanceOf(Uint8Array);
  broker.lendsMsat = creditMsat;
  broker.world.runFor((holdSeconds - 2 * marginSeconds + 1) * 1_000);
  expect(certify(trusted)).toBe('overspent');
});
