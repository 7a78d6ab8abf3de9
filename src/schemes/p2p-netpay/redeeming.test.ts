import { expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { unseal } from '../../crypto/sealed-to-key.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { p2pNetpay } from './index.ts';
import {
  boughtReply,
  brokerOperation,
  buyBody,
  handOverRequest,
  operation,
  payMessage,
  schemeId,
  targetMessage,
  visit,
  visitMessage,
} from './messages.ts';
import { holdSeconds, nobody, unitMsat } from './terms.ts';

const start = 10n ** 9n;
const session = 1;

function worldOf(seed: string) {
  const world = new CoinWorld(p2pNetpay, seed);
  const [payer, first, second] = ['payer', 'first', 'second'].map(name => world.peer(name));
  return { world, broker: world.broker, payer, first, second };
}

interface Word {
  readonly index: number;
  readonly word?: Uint8Array;
}

/** A chain that the payer buys with its own hands, and what it says of it. */
function chainOf({ broker, payer }: ReturnType<typeof worldOf>, count: number) {
  const { entropy } = payer.process.host;
  const user = new SigningKey(new Uint8Array(32).fill(51));
  const body = buyBody.encode({ operation: brokerOperation.buy, user: user.publicKey, count, unitMsat });
  const reply = payer.ask(broker.at, makeAccountRequest(payer.account, entropy, body));
  const bought = boughtReply.decode(reply as Uint8Array);
  if (bought === undefined) throw new Error('no chain was sold');
  const { touchstone, seed } = bought;
  const words = new HashChain(touchstone.chain, unseal(user, seed) as Uint8Array, count);
  const target = (vendor: Peer, at: number) =>
    targetMessage.decode(vendor.process.turn(() => vendor.payee.target(at)));
  return {
    words,
    visit(
      vendor: Peer,
      at: number,
      step: number,
      from?: Peer,
      pays: Word = { index: from === undefined ? 1 : 0 },
    ) {
      const said = visit.sign(user, {
        chain: touchstone.chain,
        step,
        vendor: vendor.account.publicKey,
        from: from?.account.publicKey ?? nobody,
        nonce: target(vendor, at)?.nonce ?? new Uint8Array(16),
      });
      const { index, word = words.word(index) } = pays;
      const part = { scheme: schemeId, operation: operation.visit, touchstone, visit: said };
      const previous = from?.at ?? vendor.at;
      return { said, payment: visitMessage.encode({ ...part, previous, index, word }) };
    },
    pay: (index: number) =>
      payMessage.encode({ scheme: schemeId, operation: operation.pay, index, word: words.word(index) }),
  };
}

it('pays a vendor for a session that stays open until after its chain has expired', () => {
  const { broker, payer, first: vendor } = worldOf('open');
  const { session: paying, paid } = payer.makePayment(vendor, 1_000_000n);
  const { payment } = paid as { readonly payment: Uint8Array };
  expect(vendor.take(paying, payment)).toMatchObject({ kind: 'added', value: 1_000_000n });
  broker.world.runFor((holdSeconds + 10) * 1_000);
  broker.tick();
  expect(broker.balanceOf(vendor)).toBe(start + 1_000_000n);
  expect(broker.balanceOf(payer)).toBe(start - 1_000_000n);
  expect(broker.outstandingMsat).toBe(0n);
  broker.expectBacked();
});

it('is paid in time after a restart too, for what came in after it', () => {
  const scene = worldOf('restart');
  const { broker, first: vendor } = scene;
  const chain = chainOf(scene, 100);
  expect(vendor.take(session, chain.visit(vendor, session, 0).payment)).toMatchObject({ kind: 'added' });
  vendor.restart();
  const again = session + 1;
  expect(vendor.take(again, chain.visit(vendor, again, 0).payment)).toMatchObject({
    fault: { code: 'stale' },
  });
  const asked = chain.visit(vendor, again, 0, undefined, { index: 0 });
  expect(vendor.take(again, asked.payment)).toMatchObject({ kind: 'added', value: 0n });
  expect(vendor.take(again, chain.pay(40))).toMatchObject({ kind: 'added', value: 39n * unitMsat });
  broker.world.runFor((holdSeconds + 10) * 1_000);
  broker.tick();
  expect(broker.balanceOf(vendor)).toBe(start + 40n * unitMsat);
});

it('stops asking a broker that knows nothing of a chain any more, in this life and the next', () => {
  const { world, broker, payer, first: vendor } = worldOf('gone');
  const { session: paying, paid } = payer.makePayment(vendor, 1_000_000n);
  vendor.take(paying, (paid as { readonly payment: Uint8Array }).payment);
  world.trouble(broker.at, 'absent');
  vendor.do(() => vendor.payee.ended(paying));
  broker.world.runFor((holdSeconds + 10) * 1_000);
  broker.tick();
  world.trouble(broker.at, undefined);
  broker.world.runFor(10_000);
  const asked = world.watch();
  broker.world.runFor(60_000);
  vendor.restart();
  broker.world.runFor(60_000);
  expect(asked).toEqual([]);
});

it('keeps what one session was paid when another hears of the same Index later', () => {
  const scene = worldOf('late');
  const { broker, first, second } = scene;
  const chain = chainOf(scene, 100);
  expect(first.take(session, chain.visit(first, session, 0).payment)).toMatchObject({ kind: 'added' });
  const visits = [1, 2].map(at => chain.visit(second, at, 1, first));
  const request = handOverRequest.sign(second.account, { visit: visits[0].said });
  const reply = second.ask(first.at, handOverRequest.encode(request)) as Uint8Array;
  const redeem = (at: number, payment: Uint8Array) =>
    second.process.turn(() => second.payee.redeem(at, payment));
  const asks = visits.map(({ payment }, at) => redeem(at + 1, payment)) as { readonly ask: number }[];
  // Whoever is between them chooses when each answer comes.
  const answer = ({ ask }: { readonly ask: number }) =>
    second.process.turn(() => second.payee.onAnswer({ kind: 'party', ask, reply }))?.result;
  expect(answer(asks[0])).toMatchObject({ kind: 'added', value: 0n });
  expect(redeem(1, chain.pay(51))).toMatchObject({ kind: 'added', value: 50n * unitMsat });
  expect(answer(asks[1])).toMatchObject({ kind: 'added', value: 0n });
  for (const at of [1, 2]) second.do(() => second.payee.ended(at));
  expect(broker.balanceOf(second)).toBe(start + 50n * unitMsat);
});

it.each(['first', 'next'] as const)(
  'keeps nothing of a %s visit that it refuses, and loses nothing by a restart',
  which => {
    const scene = worldOf(`refused/${which}`);
    const { broker, first } = scene;
    const chain = chainOf(scene, 10_000);
    let [vendor, step, from]: [Peer, number, Peer | undefined] = [first, 0, undefined];
    if (which === 'next') {
      expect(first.take(session, chain.visit(first, session, 0).payment)).toMatchObject({ kind: 'added' });
      [vendor, step, from] = [scene.second, 1, first];
    }
    const visit = (at: number, pays: Word) =>
      vendor.take(at, chain.visit(vendor, at, step, from, pays).payment);
    const before = vendor.process.turn(() => vendor.payee.target(session));
    expect(visit(session, { index: 9_000 })).toMatchObject({ fault: { code: 'overspent' } });
    expect(visit(session, { index: 50, word: new Uint8Array(32) })).toMatchObject({
      fault: { code: 'badSignature' },
    });
    if (which === 'next') expect(visit(session, { index: 1 })).toMatchObject({ fault: { code: 'stale' } });
    expect(vendor.process.turn(() => vendor.payee.target(session))).toEqual(before);
    expect(vendor.take(session, chain.pay(60))).toMatchObject({ fault: { code: 'unknownChannel' } });
    // One word was spent at the vendor before.
    const spent = which === 'next' ? 1 : 0;
    expect(visit(session, { index: 50 })).toMatchObject({
      kind: 'added',
      value: BigInt(50 - spent) * unitMsat,
    });
    vendor.restart();
    expect(visit(session + 1, { index: 50 })).toMatchObject({ fault: { code: 'stale' } });
    expect(visit(session + 1, { index: 70 })).toMatchObject({ kind: 'added', value: 20n * unitMsat });
    broker.world.runFor((holdSeconds + 10) * 1_000);
    broker.tick();
    expect(broker.balanceOf(vendor)).toBe(start + BigInt(70 - spent) * unitMsat);
  },
);
