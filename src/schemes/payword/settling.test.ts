import { expect, it } from 'vitest';
import { scriptOfAddress } from '../../bitcoin/wallet.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { HashChain, wordBytes } from '../../payment/hash-chain.ts';
import type { VirtualClock } from '../../sim/virtual-clock.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { payword } from './index.ts';
import {
  brokerOperation,
  certificate,
  certifyBody,
  commitment,
  lockBody,
  openMessage,
  operation,
  payMessage,
  schemeId,
  settleBody,
  settledReply,
  targetMessage,
} from './messages.ts';
import {
  badWordsMax,
  countMax,
  creditMsat,
  hashOf,
  holdSeconds,
  jumpMax,
  marginSeconds,
  noBacking,
  settleableTo,
  unitMsat,
} from './terms.ts';

const start = 10n ** 9n;
const session = 1;

interface Terms {
  readonly count: number;
  readonly seconds: number;
  readonly unit?: bigint;
}

/** A payer, a relay, and chains between them as either would make them. */
class Scene {
  readonly world: CoinWorld;
  readonly payer: Peer;
  readonly relay: Peer;

  constructor(name: string, variant = 'prepaid') {
    this.world = new CoinWorld(payword, name);
    const { broker } = this.world;
    broker.lendsMsat = 2n * creditMsat;
    const house = scriptOfAddress(broker.addressFor(broker.key));
    broker.chain.issue(house as Uint8Array, 1_000_000n);
    broker.mine();
    this.payer = this.world.peer('payer', variant);
    this.relay = this.world.peer('relay', variant);
  }

  get broker(): CoinWorld['broker'] {
    return this.world.broker;
  }

  get seconds(): number {
    const { wallStartMs, nowUs } = this.broker.world;
    return Math.floor((wallStartMs + nowUs / 1_000) / 1_000);
  }

  get earned(): bigint {
    return this.broker.balanceOf(this.relay) - start;
  }

  ask(by: Peer, body: Uint8Array): Uint8Array | string {
    return by.ask(this.broker.at, makeAccountRequest(by.account, by.process.host.entropy, body));
  }

  /** What the payer promises the relay, or says to. */
  promise({ count, seconds, unit = unitMsat }: Terms, backing: Uint8Array = noBacking) {
    const { payee, name } = targetMessage.decode(
      this.relay.process.turn(() => this.relay.payee.target(session)),
    ) as { readonly payee: Uint8Array; readonly name: Uint8Array };
    const words = new HashChain(name, new Uint8Array(wordBytes).fill(7), count);
    const payer = this.payer.account.publicKey;
    const terms = { unitMsat: unit, count, expiry: this.seconds + seconds, backing };
    const said = commitment.sign(this.payer.account, { payer, payee, name, root: words.root, ...terms });
    return { said, words };
  }

  /** The broker stands behind such a chain. */
  locked(terms: Terms) {
    const { said, words } = this.promise(terms);
    const locked = this.ask(
      this.payer,
      lockBody.encode({ operation: brokerOperation.lock, commitment: said }),
    );
    return { said, words, backing: locked };
  }

  /** The relay takes all that such a chain is good for. */
  spent(terms: Terms): void {
    const { said, words, backing } = this.locked(terms);
    expect(backing).toBeInstanceOf(Uint8Array);
    for (let index = 0; index < terms.count; ) {
      const before = index;
      index = Math.min(index + jumpMax, terms.count);
      const part = { scheme: schemeId, index, word: words.word(index) };
      const opening = { prepaid: 1, backing: backing as Uint8Array, commitment: said };
      const payment =
        before === 0
          ? openMessage.encode({ ...part, operation: operation.open, ...opening })
          : payMessage.encode({ ...part, operation: operation.pay });
      expect(this.relay.take(session, payment)).toMatchObject({
        kind: 'added',
        value: said.unitMsat * BigInt(index - before),
      });
    }
  }

  settle(
    chain: ReturnType<Scene['promise']>,
    index: number,
    word = chain.words.word(index),
    backing?: Uint8Array,
  ) {
    const answer = this.ask(
      this.relay,
      settleBody.encode({
        operation: brokerOperation.settle,
        final: 0,
        commitment: chain.said,
        backing: backing ?? new Uint8Array(0),
        index,
        word,
      }),
    );
    return typeof answer === 'string' ? answer : settledReply.decode(answer)?.creditedMsat;
  }

  certify(limitMsat = creditMsat): ReturnType<Peer['ask']> {
    return this.ask(this.payer, certifyBody.encode({ operation: brokerOperation.certify, limitMsat }));
  }
}

const junk = new Uint8Array(wordBytes).fill(1);

it('pays a relay for a circuit that stays open until after its chain has expired', () => {
  const scene = new Scene('open');
  scene.spent({ count: 100, seconds: marginSeconds + 100 });
  scene.broker.world.runFor((marginSeconds + 200) * 1_000);
  scene.broker.tick();
  expect(scene.earned).toBe(100n * unitMsat);
  expect(scene.broker.balanceOf(scene.payer)).toBe(start - 100n * unitMsat);
  scene.broker.expectBacked();
  scene.relay.do(() => scene.relay.payee.ended(session));
  expect(scene.earned).toBe(100n * unitMsat);
});

it('pays a relay when the broker was down as the chain expired', () => {
  const scene = new Scene('down');
  scene.spent({ count: 100, seconds: marginSeconds + 100 });
  scene.world.trouble(scene.broker.at, 'absent');
  scene.broker.restart(() => scene.broker.world.runFor((marginSeconds + 200) * 1_000));
  scene.broker.tick();
  scene.world.trouble(scene.broker.at, undefined);
  scene.broker.world.runFor(60_000);
  expect(scene.earned).toBe(100n * unitMsat);
  expect(scene.broker.balanceOf(scene.payer)).toBe(start - 100n * unitMsat);
  scene.broker.expectBacked();
});

it('takes no more words of a chain that a relay is handing in, though its clock was set back since', () => {
  const scene = new Scene('set back');
  const { said, words, backing } = scene.locked({ count: 100, seconds: marginSeconds + 100 });
  const opening = { prepaid: 1, backing: backing as Uint8Array, commitment: said };
  const open = { scheme: schemeId, operation: operation.open, index: 50, word: words.word(50), ...opening };
  expect(scene.relay.take(session, openMessage.encode(open))).toMatchObject({ kind: 'added' });
  scene.world.trouble(scene.broker.at, 'absent');
  const clock = scene.relay.process.host.clock as VirtualClock;
  clock.jumpWall(200_000);
  scene.broker.world.runFor(150_000);
  clock.jumpWall(-400_000);
  const more = { scheme: schemeId, operation: operation.pay, index: 60, word: words.word(60) };
  expect(scene.relay.take(session, payMessage.encode(more))).toMatchObject({ fault: { code: 'expired' } });
  scene.world.trouble(scene.broker.at, undefined);
  scene.broker.world.runFor(60_000);
  expect(scene.earned).toBe(50n * unitMsat);
  scene.broker.expectBacked();
});

it('takes no commitment in the last hour before it expires', () => {
  const scene = new Scene('late');
  const { said, words, backing } = scene.locked({ count: 100, seconds: marginSeconds - 1 });
  const part = { scheme: schemeId, operation: operation.open, index: 1, word: words.word(1) };
  const opening = { prepaid: 1, backing: backing as Uint8Array, commitment: said };
  expect(scene.relay.take(session, openMessage.encode({ ...part, ...opening }))).toMatchObject({
    fault: { code: 'expired' },
  });
});

it.each([
  ['longer than the broker settles', { count: countMax + 1, unit: 1n }],
  ['of words that are worth nothing', { count: 100, unit: 0n }],
])('takes no promise on credit %s', (_what, terms) => {
  const scene = new Scene('unsettled', 'credit');
  const backing = scene.certify() as Uint8Array;
  const { said, words } = scene.promise({ ...terms, seconds: holdSeconds - 10 }, hashOf(backing));
  const part = { scheme: schemeId, operation: operation.open, index: 1, word: words.word(1) };
  const opening = { prepaid: 0, backing, commitment: said };
  expect(scene.relay.take(session, openMessage.encode({ ...part, ...opening }))).toMatchObject({
    fault: { code: 'badTerms' },
  });
});

it('stops asking a broker that knows nothing of a chain any more, in this life and the next', () => {
  const scene = new Scene('gone');
  scene.spent({ count: 100, seconds: marginSeconds + 100 });
  scene.world.trouble(scene.broker.at, 'absent');
  scene.relay.do(() => scene.relay.payee.ended(session));
  scene.broker.world.runFor((marginSeconds + 200) * 1_000);
  scene.broker.tick();
  scene.world.trouble(scene.broker.at, undefined);
  scene.broker.world.runFor(10_000);
  const asked = scene.world.watch();
  scene.broker.world.runFor(60_000);
  scene.relay.restart();
  scene.broker.world.runFor(60_000);
  expect(asked).toEqual([]);
});

it('pays a relay for the longest chain there is', () => {
  const scene = new Scene('long');
  scene.spent({ count: countMax, seconds: holdSeconds, unit: unitMsat });
  scene.relay.do(() => scene.relay.payee.ended(session));
  expect(scene.earned).toBe(BigInt(countMax) * unitMsat);
  expect(scene.broker.outstandingMsat).toBe(0n);
});

it('pays no word beyond what was put aside, though the payer has given it away', () => {
  const scene = new Scene('beyond');
  const { said, words } = scene.promise({ count: 120, seconds: holdSeconds });
  const promised = commitment.sign(scene.payer.account, { ...said, count: 100 });
  const lock = lockBody.encode({ operation: brokerOperation.lock, commitment: promised });
  expect(scene.ask(scene.payer, lock)).toBeInstanceOf(Uint8Array);
  expect(scene.settle({ said: promised, words }, 101)).toBe('overspent');
  expect(scene.settle({ said: promised, words }, 100)).toBe(100n * unitMsat);
  expect(scene.settle({ said: promised, words }, 101)).toBe('overspent');
  expect(scene.earned).toBe(100n * unitMsat);
  scene.broker.expectBacked();
});

it('gives what is put aside back by the word of its payee alone', () => {
  const scene = new Scene('back');
  const { said, words } = scene.locked({ count: 100, seconds: holdSeconds });
  const part = { operation: brokerOperation.settle, final: 1, commitment: said, backing: new Uint8Array(0) };
  const body = settleBody.encode({ ...part, index: 1, word: words.word(1) });
  const before = scene.broker.balanceOf(scene.payer);
  expect(scene.ask(scene.payer, body)).toBe('unknownChannel');
  // Nor for another promise of the same chain.
  const other = commitment.sign(scene.payer.account, { ...said, unitMsat: 2n * said.unitMsat });
  expect(scene.settle({ said: other, words }, 1)).toBe('unknownChannel');
  expect(scene.broker.balanceOf(scene.payer)).toBe(before);
  expect(scene.settle({ said, words }, 100)).toBe(100n * unitMsat);
});

it('gives what nobody was paid of it back to the payer when it is over, and not before', () => {
  const scene = new Scene('over');
  const chain = scene.locked({ count: 100, seconds: holdSeconds });
  expect(scene.settle(chain, 40)).toBe(40n * unitMsat);
  const { broker, payer } = scene;
  broker.world.runFor((holdSeconds - 10) * 1_000);
  broker.tick();
  expect(broker.balanceOf(payer)).toBe(start - 100n * unitMsat);
  broker.world.runFor(20_000);
  broker.tick();
  expect(broker.balanceOf(payer)).toBe(start - 40n * unitMsat);
  expect(broker.outstandingMsat).toBe(0n);
});

it('pays nothing for a promise on credit that its payer did not sign, or beyond what the broker granted', () => {
  const scene = new Scene('forged', 'credit');
  const backing = scene.certify() as Uint8Array;
  const terms = { count: 100, seconds: holdSeconds - 10, unit: creditMsat / 100n };
  const { said, words } = scene.promise(terms, hashOf(backing));
  const settle = (claim: ReturnType<Scene['promise']>, shown = backing) =>
    scene.settle(claim, 10, undefined, shown);
  expect(settle({ said: commitment.sign(scene.relay.account, said), words })).toBe('badSignature');
  const granted = certificate.decode(backing)!;
  const more = certificate.encode({ ...granted, limitMsat: 2n * granted.limitMsat });
  const large = { ...said, unitMsat: 2n * said.unitMsat, backing: hashOf(more) };
  expect(settle({ said: commitment.sign(scene.payer.account, large), words }, more)).toBe('badSignature');
  expect(settle({ said, words })).toBe(creditMsat / 10n);
  // One promise for a chain.
  const again = commitment.sign(scene.payer.account, { ...said, expiry: said.expiry - 1 });
  expect(settle({ said: again, words })).toBe('badTerms');
  expect(scene.earned).toBe(creditMsat / 10n);
});

it('pays no word again when another certificate than its own is over', () => {
  const scene = new Scene('other certificate', 'credit');
  scene.certify();
  scene.broker.world.runFor((holdSeconds - 2 * marginSeconds + 1) * 1_000);
  const backing = scene.certify() as Uint8Array;
  const terms = { count: 100, seconds: holdSeconds - 10, unit: creditMsat / 200n };
  const chain = scene.promise(terms, hashOf(backing));
  const paid = creditMsat / 4n;
  expect(scene.settle(chain, 50, undefined, backing)).toBe(paid);
  scene.broker.world.runFor(2 * marginSeconds * 1_000);
  scene.broker.tick();
  expect(scene.broker.outstandingMsat).toBe(creditMsat - paid);
  expect(scene.settle(chain, 50, undefined, backing)).toBe(paid);
  expect(scene.earned).toBe(paid);
});

it('puts aside what the payer itself has signed, once, and for a while', () => {
  const scene = new Scene('locks');
  const lock = (said: ReturnType<Scene['promise']>['said'], by = scene.payer) =>
    scene.ask(by, lockBody.encode({ operation: brokerOperation.lock, commitment: said }));
  const { said } = scene.promise({ count: 100, seconds: holdSeconds });
  const { account } = scene.relay;
  expect(lock(said, scene.relay)).toBe('badSignature');
  for (const by of [scene.payer, scene.relay])
    expect(lock(commitment.sign(account, said), by)).toBe('badSignature');
  for (const count of [0, countMax + 1])
    expect(lock(commitment.sign(scene.payer.account, { ...said, count }))).toBe('malformed');
  for (const seconds of [-1, 3 * holdSeconds])
    expect(lock(scene.promise({ count: 100, seconds }).said)).toBe('badTerms');
  expect(lock(said)).toBeInstanceOf(Uint8Array);
  expect(lock(said)).toBe('stale');
  expect(scene.broker.balanceOf(scene.payer)).toBe(start - 100n * unitMsat);
});

it('does not believe that the broker knows nothing of its chain before that is over', () => {
  const scene = new Scene('made up');
  scene.spent({ count: 100, seconds: marginSeconds + 100 });
  const { relay, broker } = scene;
  const { parties, clock } = relay.process.host;
  const truly = parties.ask.bind(parties);
  // Whoever is between them says so.
  parties.ask = (_to, _scheme, _request, ask) =>
    void clock.after(1, () => relay.onAnswer({ kind: 'party', ask, fault: 'unknownChannel' }));
  relay.process.turn(() => relay.payee.ended(session));
  broker.world.runFor(3_000);
  parties.ask = truly;
  broker.world.runFor(10_000);
  expect(scene.earned).toBe(100n * unitMsat);
});

it('hashes nothing for whoever was promised nothing', () => {
  const scene = new Scene('stranger');
  const chain = scene.promise({ count: countMax, seconds: 0 });
  expect(scene.settle(chain, countMax, junk)).toBe('unknownChannel');
});

it('hashes no further than payees have shown words before, and for a cheat not often', () => {
  const scene = new Scene('far');
  const { said, words } = scene.locked({ count: 10_000, seconds: holdSeconds });
  const chain = { said, words };
  expect(scene.settle(chain, 10_000)).toBe('overspent');
  const first = settleableTo(0);
  expect(scene.settle(chain, first, junk)).toBe('badSignature');
  expect(scene.settle(chain, first)).toBe(BigInt(first) * unitMsat);
  // What was settled survives the broker, and is where it goes on from.
  scene.broker.restart();
  expect(scene.settle(chain, settleableTo(first) + 1)).toBe('overspent');
  expect(scene.settle(chain, settleableTo(first))).toBe(BigInt(settleableTo(first)) * unitMsat);
  for (let i = 0; i < badWordsMax; i++) expect(scene.settle(chain, 10_000, junk)).toBe('badSignature');
  expect(scene.settle(chain, 10_000)).toBe('badSignature');
  expect(scene.earned).toBe(BigInt(settleableTo(first)) * unitMsat);
  scene.broker.expectBacked();
});

it('locks nothing up for words that cost more than they are worth', () => {
  const scene = new Scene('cheap');
  expect(scene.locked({ count: countMax, seconds: holdSeconds, unit: 1n }).backing).toBe('badTerms');
});

it('lends one account the next certificate once payees have taken something under the last', () => {
  const scene = new Scene('credit', 'credit');
  const first = scene.certify();
  // Whoever never got it, asks again; a promise under it stays good.
  expect(scene.certify()).toEqual(first);
  expect(scene.certify(1_000_000n)).toBe('overspent');
  expect(scene.broker.outstandingMsat).toBe(creditMsat);
  const backing = first as Uint8Array;
  const terms = { count: 100, seconds: holdSeconds - 10, unit: creditMsat / 100n };
  const chain = scene.promise(terms, hashOf(backing));
  expect(scene.settle(chain, 50, undefined, backing)).toBe(creditMsat / 2n);
  const next = scene.certify();
  expect(next).not.toEqual(first);
  expect(certificate.decode(next as Uint8Array)).toBeDefined();
  expect(scene.settle(chain, 100, undefined, backing)).toBe(creditMsat);
  expect(scene.broker.outstandingMsat).toBe(creditMsat);
  scene.broker.restart();
  expect(scene.certify()).toEqual(next);
  scene.broker.expectBacked();
});

it('lends again when payees take little more under the certificate', () => {
  const scene = new Scene('rollover', 'credit');
  const first = scene.certify();
  scene.broker.world.runFor((holdSeconds - 2 * marginSeconds + 1) * 1_000);
  const next = scene.certify();
  expect(next).not.toEqual(first);
  scene.broker.world.runFor(2 * marginSeconds * 1_000);
  scene.broker.tick();
  expect(scene.certify()).toEqual(next);
  expect(scene.broker.outstandingMsat).toBe(creditMsat);
});

it('keeps nothing more of a payer that is proven to have overspent', () => {
  const scene = new Scene('banned', 'credit');
  const backing = scene.certify() as Uint8Array;
  const terms = { count: 100, seconds: holdSeconds - 10, unit: creditMsat / 100n };
  const under = (name: number) => {
    const { said } = scene.promise(terms, hashOf(backing));
    const other = new HashChain(said.name, new Uint8Array(wordBytes).fill(name), terms.count);
    return { said: commitment.sign(scene.payer.account, { ...said, root: other.root }), words: other };
  };
  expect(scene.settle(under(1), 60, undefined, backing)).toBe((creditMsat * 6n) / 10n);
  expect(scene.settle(under(2), 60, undefined, backing)).toBe((creditMsat * 4n) / 10n);
  const proofs = scene.broker.proofs.length;
  expect(proofs).toBe(1);
  for (const name of [3, 4]) expect(scene.settle(under(name), 60, undefined, backing)).toBe(0n);
  expect(scene.broker.proofs).toHaveLength(proofs);
  scene.broker.expectBacked();
});
