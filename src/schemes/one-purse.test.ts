import { expect, it } from 'vitest';
import { SigningKey } from '../crypto/ecdsa.ts';
import { Ed25519Key } from '../crypto/ed25519.ts';
import type { BrokeredNode } from '../payment/brokered.ts';
import type { SchemeHost } from '../payment/scheme.ts';
import { CoinWorld } from './coin-peers.fixture.ts';
import { cpay } from './cpay/index.ts';
import { ppay } from './ppay/index.ts';
import { whopay } from './whopay/index.ts';

const value = 1_024n;
const dayMs = 86_400_000;
const schemes = [ppay, whopay, cpay];

it.each(schemes)('what a node of $name earned it may spend for a day, restarted or not', scheme => {
  const coins = new CoinWorld(scheme, 'kept');
  const [payer, relay, other] = ['payer', 'relay', 'other'].map(name => coins.peer(name, scheme.variants[0]));
  const deskOf = (peer: typeof relay) => (peer.scheme as BrokeredNode).desk;
  const begun = coins.broker.balanceOf(relay);
  for (let payment = 1; payment <= 2; payment++) {
    expect(payer.pay(relay, value)).toBe(value);
    relay.process.turn(() => relay.payee.ended(1_000 * relay.at.port + payment));
  }
  coins.settle();
  relay.restart();
  coins.settle();
  expect(deskOf(relay).spendableMsat).toBe(2n * value);
  const sold = coins.broker.core.outstandingMsat.get(scheme.id);
  expect(relay.pay(other, value)).toBe(value);
  // Nothing was bought for it, and nothing handed in.
  expect(coins.broker.core.outstandingMsat.get(scheme.id)).toBe(sold);
  expect(coins.broker.balanceOf(relay)).toBe(begun);
  coins.world.runFor(dayMs + 60_000);
  expect(coins.broker.balanceOf(relay) - begun).toBe(value);
});

it.each(schemes)('what a node of $name bought is its own again once it pays nobody any more', scheme => {
  const coins = new CoinWorld(scheme, 'bought');
  const [relay, other] = ['relay', 'other'].map(name => coins.peer(name, scheme.variants[0]));
  const begun = coins.broker.balanceOf(relay);
  expect(relay.pay(other, value)).toBe(value);
  expect(coins.broker.balanceOf(relay)).toBeLessThan(begun - value);
  relay.restart(false);
  coins.settle();
  expect(coins.broker.balanceOf(relay)).toBe(begun - value);
});

it.each([whopay, cpay])(
  'a payment by coins of $name that nobody carries out leaves most of them to pay others with',
  scheme => {
    const coins = new CoinWorld(scheme, 'nobody');
    const variant = scheme.variants[0];
    const [payer, relay, other] = ['payer', 'relay', 'other'].map(name => coins.peer(name, variant));
    const held = 12n;
    for (let coin = 0n; coin < held; coin++) expect(payer.pay(relay, value)).toBe(value);
    for (const at of [payer.at, coins.broker.at]) coins.trouble(at, 'absent');
    expect(relay.pay(other, value)).toBe('PAY_PARTY_UNAVAILABLE');
    expect((relay.scheme as BrokeredNode).desk.spendableMsat).toBeGreaterThan((held * value) / 2n);
  },
);

/** A host of one side alone, which counts what that side wants of the world. */
function countingHost() {
  let asked = 0;
  const count = (): void => {
    asked += 1;
  };
  const host: SchemeHost = {
    clock: { monotonicMs: () => 0, wallMs: () => dayMs, after: () => () => {} },
    entropy: { bytes: length => new Uint8Array(length).fill(7) },
    chain: { broadcast: count, output: count, feerate: count, watch: count, unwatch: count },
    store: { get: () => undefined, list: () => [], commit: count },
    parties: { ask: count },
    observer: { log: () => {}, count: () => {} },
    newAsk: () => 1 + asked,
  };
  return { host, asked: () => asked };
}

it.each(schemes)('each side of a node of $name asks by the host that it was made with', scheme => {
  const [payee, payer] = [countingHost(), countingHost()];
  const at = { host: '127.0.0.1', port: 9 };
  const nodeOf = (byte: number) => {
    const account = new SigningKey(new Uint8Array(32).fill(byte));
    const broker = { endpoint: at, key: new SigningKey(new Uint8Array(32).fill(1)).publicKey };
    return scheme.node({ broker, account, self: at, variant: scheme.variants[0] });
  };
  const identity = new Ed25519Key(new Uint8Array(32).fill(9));
  const signer = { ed25519: identity.publicKey, sign: (message: Uint8Array) => identity.sign(message) };
  const target = nodeOf(2).payee(countingHost().host, signer).target(1);
  const node = nodeOf(3);
  node.payee(payee.host, signer);
  const paying = node.payer(payer.host);
  const before = payee.asked();
  paying.begin(1, { ed25519: identity.publicKey }, value);
  expect(paying.pay(1, target, value).kind).toBe('pending');
  expect(payer.asked()).toBeGreaterThan(0);
  expect(payee.asked()).toBe(before);
});

it.each(
  [ppay, whopay].flatMap(scheme =>
    ['later', 'after a restart'].map(when => ({ scheme, name: scheme.name, when })),
  ),
)('a coin of $name that was signed away and not sent goes to the same payee $when', ({ scheme, when }) => {
  const coins = new CoinWorld(scheme, 'signed away');
  const variant = scheme.variants[0];
  const [payer, relay, other] = ['payer', 'relay', 'other'].map(name => coins.peer(name, variant));
  expect(payer.pay(relay, value)).toBe(value);
  const session = 7;
  const target = other.process.turn(() => other.payee.target(session));
  relay.process.turn(() => {
    relay.payer.begin(session, { ed25519: other.identity.publicKey }, value);
    expect(relay.payer.pay(session, target, value).kind).toBe('pending');
  });
  // The owner is asked for it, and its answer is for a circuit that is gone.
  relay.process.turn(() => relay.payer.ended(session));
  coins.settle();
  if (when === 'after a restart') relay.restart();
  const sold = coins.broker.core.outstandingMsat.get(scheme.id);
  coins.world.runFor(10_000);
  expect(relay.pay(other, value)).toBe(value);
  expect(coins.broker.core.outstandingMsat.get(scheme.id)).toBe(sold);
  expect((other.scheme as BrokeredNode).desk.receivedMsat).toBe(value);
  // It is not offered a second time.
  relay.restart();
  coins.world.runFor(10_000);
  expect(relay.pay(other, value)).toBe(value);
  expect(coins.broker.core.outstandingMsat.get(scheme.id)).toBeGreaterThan(sold ?? 0n);
  expect(coins.broker.proofs).toEqual([]);
});
