import { describe, expect, it } from 'vitest';
import { makeAccountRequest } from '../../payment/account-request.ts';
import type { HashChain } from '../../payment/hash-chain.ts';
import type { Peer } from '../coin-peers.fixture.ts';
import { chainOf, session, start, type Word, worldOf } from './chain-by-hand.fixture.ts';
import { p2pNetpay } from './index.ts';
import {
  brokerOperation,
  claim,
  claimBody,
  claimedReply,
  handOverReply,
  handOverRequest,
  type Index,
  index,
  visit,
} from './messages.ts';
import { holdSeconds, marginSeconds, unitMsat } from './terms.ts';

/** What a vendor before may say instead of the truth. */
interface Lie {
  readonly say: (change: Partial<Index>, by?: Peer) => Uint8Array;
  readonly words: HashChain;
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

it('is paid by a broker that was down when the chain expired', () => {
  const { world, broker, payer, first: vendor } = worldOf('down');
  const { session: paying, paid } = payer.makePayment(vendor, 1_000_000n);
  vendor.take(paying, (paid as { readonly payment: Uint8Array }).payment);
  world.trouble(broker.at, 'absent');
  broker.restart(() => broker.world.runFor((holdSeconds + 10) * 1_000));
  broker.tick();
  world.trouble(broker.at, undefined);
  broker.world.runFor(60_000);
  expect(broker.balanceOf(vendor)).toBe(start + 1_000_000n);
  expect(broker.balanceOf(payer)).toBe(start - 1_000_000n);
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

it('has a payer pay each of two vendors that it makes a first visit to with one chain', () => {
  const scene = worldOf('double');
  const { broker, payer, first, second, third } = scene;
  const chain = chainOf(scene, 100);
  const vendors = [first, second, third];
  for (const vendor of vendors) {
    const { payment } = chain.visit(vendor, session, 0, undefined, { index: 50 });
    expect(vendor.take(session, payment)).toMatchObject({ kind: 'added', value: 50n * unitMsat });
  }
  for (const vendor of vendors) vendor.do(() => vendor.payee.ended(session));
  expect(vendors.map(vendor => broker.balanceOf(vendor) - start)).toEqual([50_000n, 50_000n, 50_000n]);
  expect(broker.proofs.map(({ cheat }) => cheat)).toEqual(['forked']);
  broker.world.runFor((holdSeconds + 10) * 1_000);
  broker.tick();
  expect(broker.balanceOf(payer)).toBe(start - 150n * unitMsat);
  broker.expectBacked();
});

it('finds a vendor that redeems too much by the next one, though nothing was spent there', () => {
  const scene = worldOf('evidence');
  const { broker, first, second, third } = scene;
  const chain = chainOf(scene, 100);
  const begin = chain.visit(first, session, 0, undefined, { index: 30 });
  expect(first.take(session, begin.payment)).toMatchObject({ value: 30n * unitMsat });
  expect(second.take(session, chain.visit(second, session, 1, first).payment)).toMatchObject({ value: 0n });
  expect(third.take(session, chain.visit(third, session, 2, second).payment)).toMatchObject({ value: 0n });
  expect(third.take(session, chain.pay(60))).toMatchObject({ value: 30n * unitMsat });
  const vendor = first.account.publicKey;
  const said = {
    chain: chain.touchstone.chain,
    step: 0,
    vendor,
    first: 0,
    last: 60,
    word: chain.words.word(60),
  };
  const body = claimBody.encode({
    operation: brokerOperation.claim,
    claim: claim.sign(first.account, said),
    visit: begin.said,
    from: new Uint8Array(0),
  });
  const { entropy } = first.process.host;
  expect(first.ask(broker.at, makeAccountRequest(first.account, entropy, body))).toBeInstanceOf(Uint8Array);
  broker.world.runFor((holdSeconds + 10) * 1_000);
  expect(broker.proofs.map(proof => p2pNetpay.judge(proof).guilty)).toEqual([vendor]);
  broker.tick();
  expect([first, second, third].map(peer => broker.balanceOf(peer) - start)).toEqual([30_000n, 0n, 30_000n]);
  broker.expectBacked();
});

it.each([
  ['knows nothing of its chain before that is over', { fault: 'unknownChannel' }],
  ['has paid more than there was', { reply: claimedReply.encode({ last: 2 ** 31, creditedMsat: 1n }) }],
  ['says what makes no sense', { reply: Uint8Array.of(1, 2, 3) }],
])('does not believe that the broker %s', (what, said) => {
  const { broker, payer, first: vendor } = worldOf(what);
  const { session: paying, paid } = payer.makePayment(vendor, 1_000_000n);
  vendor.take(paying, (paid as { readonly payment: Uint8Array }).payment);
  const { parties, clock } = vendor.process.host;
  const truly = parties.ask.bind(parties);
  // Whoever is between them says so.
  parties.ask = (_to, _scheme, _request, ask) =>
    void clock.after(1, () => vendor.onAnswer({ kind: 'party', ask, ...said }));
  vendor.process.turn(() => vendor.payee.ended(paying));
  broker.world.runFor(3_000);
  parties.ask = truly;
  broker.world.runFor(10_000);
  expect(broker.balanceOf(vendor)).toBe(start + 1_000_000n);
});

it('keeps nothing of a chain that is over and of which nothing was spent', () => {
  const scene = worldOf('unspent');
  const { broker, first, second } = scene;
  const chain = chainOf(scene, 100);
  expect(first.take(session, chain.visit(first, session, 0).payment)).toMatchObject({ kind: 'added' });
  expect(second.take(session, chain.visit(second, session, 1, first).payment)).toMatchObject({ value: 0n });
  broker.world.runFor((holdSeconds + 10) * 1_000);
  const kept = [...second.process.store.durable().keys()].filter(key => /vendor.(stay|paid)/.test(key));
  expect(kept).toEqual([]);
});

it('takes a visit in its own session alone, and until the last hour of the chain', () => {
  const scene = worldOf('late visit');
  const { broker, first: vendor } = scene;
  const chain = chainOf(scene, 100);
  const other = chain.visit(vendor, session + 1, 0).payment;
  expect(vendor.take(session, other)).toMatchObject({ fault: { code: 'targetOld' } });
  const { payment } = chain.visit(vendor, session, 0);
  broker.world.runFor((holdSeconds - marginSeconds - 60) * 1_000);
  expect(vendor.take(session, payment)).toMatchObject({ kind: 'added' });
  broker.world.runFor(62_000);
  expect(vendor.take(session, chain.pay(2))).toMatchObject({ kind: 'refused' });
  const again = chain.visit(vendor, session + 1, 0, undefined, { index: 2 }).payment;
  expect(vendor.take(session + 1, again)).toMatchObject({ fault: { code: 'expired' } });
  // Nor does anybody have it handed over by then.
  const seen = scene.world.watch();
  const { second } = scene;
  const moved = chain.visit(second, session, 1, vendor).payment;
  expect(second.take(session, moved)).toMatchObject({ fault: { code: 'expired' } });
  expect(seen.filter(each => each === 'second > first')).toEqual([]);
});

it('hands a chain on to one vendor, which its user has named, and takes no more of it', () => {
  const scene = worldOf('hand-over');
  const { world, broker, first, second, third } = scene;
  const chain = chainOf(scene, 100);
  expect(first.take(session, chain.visit(first, session, 0).payment)).toMatchObject({ kind: 'added' });
  const ask = (peer: Peer, said: ReturnType<typeof handOverRequest.sign>) =>
    peer.ask(first.at, handOverRequest.encode(said));
  const toSecond = chain.visit(second, session, 1, first).said;
  const request = handOverRequest.sign(second.account, { visit: toSecond });
  // Another vendor asks in its name; the user never said so.
  expect(ask(third, handOverRequest.sign(third.account, { visit: toSecond }))).toBe('badSignature');
  const invented = visit.sign(third.account, { ...toSecond, vendor: third.account.publicKey });
  expect(ask(third, handOverRequest.sign(third.account, { visit: invented }))).toBe('badSignature');
  // The user says that it comes from elsewhere, or from nobody.
  const { said: elsewhere } = chain.visit(third, session, 1, second);
  expect(ask(third, handOverRequest.sign(third.account, { visit: elsewhere }))).toBe('unknownChannel');
  const { said: begins } = chain.visit(third, session, 0);
  expect(ask(third, handOverRequest.sign(third.account, { visit: begins }))).toBe('unknownChannel');
  expect(first.take(session, chain.pay(5))).toMatchObject({ kind: 'added' });
  const reply = ask(second, request) as Uint8Array;
  expect(handOverReply.decode(reply)?.index).toMatchObject({ index: 5 });
  expect(first.take(session, chain.pay(6))).toMatchObject({ fault: { code: 'unknownChannel' } });
  const toThird = chain.visit(third, session, 1, first);
  expect(ask(third, handOverRequest.sign(third.account, { visit: toThird.said }))).toBe('stale');
  expect(third.take(session, toThird.payment)).toMatchObject({ fault: { code: 'partyUnavailable' } });
  // What it said it has written down before; once it has redeemed the chain it keeps no more of it than that.
  world.trouble(broker.at, 'absent');
  first.restart();
  expect(ask(third, handOverRequest.sign(third.account, { visit: toThird.said }))).toBe('stale');
  expect(ask(second, request)).toEqual(reply);
  const back = chain.visit(first, session + 1, 0, undefined, { index: 6 }).payment;
  expect(first.take(session + 1, back)).toMatchObject({ fault: { code: 'unknownChannel' } });
});

it('hands nothing on before that is durable', () => {
  const scene = worldOf('durable');
  const { first, second } = scene;
  const chain = chainOf(scene, 100);
  expect(first.take(session, chain.visit(first, session, 0).payment)).toMatchObject({ kind: 'added' });
  const { said } = chain.visit(second, session, 1, first);
  const request = handOverRequest.encode(handOverRequest.sign(second.account, { visit: said }));
  const served = first.process.turn(() => first.scheme.party?.(first.process.host).serve(request));
  expect(served).toMatchObject({ kind: 'reply' });
  const keys = served?.kind === 'reply' ? served.persist.map(({ key }) => key) : [];
  expect(keys).toEqual([expect.stringContaining('p2p-netpay/vendor/handed/')]);
});

describe('a vendor that a chain comes to believes no Index', () => {
  const lies: readonly [string, (scene: ReturnType<typeof worldOf>, at: Lie) => Uint8Array][] = [
    ['that is for another vendor', ({ third }, { say }) => say({ to: third.account.publicKey })],
    ['of another step', (_, { say }) => say({ step: 1 })],
    ['of another chain', (_, { say }) => say({ chain: new Uint8Array(16).fill(9) })],
    ['that somebody else signed', ({ third }, { say }) => say({}, third)],
    ['from somebody else', ({ third }, { say }) => say({ from: third.account.publicKey }, third)],
    ['with a word that is not of the chain', (_, { say }) => say({ word: new Uint8Array(32) })],
    ['with a word that is another', (_, { say, words }) => say({ word: words.word(2) })],
    ['beyond the end', (_, { say }) => say({ index: 101 })],
    ['that cannot be read', () => new Uint8Array(7)],
  ];
  it.each(lies)('%s', (name, lie) => {
    const scene = worldOf(name);
    const { first, second } = scene;
    const chain = chainOf(scene, 100);
    const { said, payment } = chain.visit(second, session, 1, first);
    const { touchstone } = chain;
    const truth = {
      chain: touchstone.chain,
      step: 0,
      from: first.account.publicKey,
      to: second.account.publicKey,
      index: 3,
      word: chain.words.word(3),
    };
    expect(said.step).toBe(1);
    const say: Lie['say'] = (change, by = first) =>
      handOverReply.encode({ touchstone, index: index.sign(by.account, { ...truth, ...change }) });
    const answered = (at: number, sent: Uint8Array, reply: Uint8Array) => {
      const asked = second.process.turn(() => second.payee.redeem(at, sent));
      if (asked.kind !== 'pending') throw new Error('the vendor before is asked');
      return second.process.turn(() => second.payee.onAnswer({ kind: 'party', ask: asked.ask, reply }))
        ?.result;
    };
    const lied = answered(session, payment, lie(scene, { say, words: chain.words }));
    expect(lied).toMatchObject({ fault: { code: 'partyUnavailable' } });
    expect(answered(session, payment, say({}))).toMatchObject({ kind: 'added', value: 0n });
  });
});
