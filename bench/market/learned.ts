import * as cpay from '../../src/schemes/cpay/messages.ts';
import { paymentMsat } from './costs.ts';
import { holds, Knowledge } from './knowledge.ts';
import { brokerName, Market } from './market.ts';
import type { Peer } from './peer.ts';
import type { SchemeSubject } from './subjects.ts';

const accountSat = 1_000_000n;
const paymentsEach = 3;

/** What can be learned by what was received; whoever asks another directly shows it a network address besides. */
export const lessons = [
  'payee: account of the payer',
  'payee: the same payer on two circuits',
  'two payees together: the same payer',
  'broker or chain: who paid whom',
  'coin owner or assistant: account of the payer',
  'coin owner or assistant: account of the payee',
  'payee: account of an earlier holder',
] as const;
export type Lesson = (typeof lessons)[number];

/** Who a peer is when others ask it for what it manages. */
const asked = (name: string): string => `${name}, asked`;

/**
 * Two payers pay two payees over several circuits, and a payee pays on what it earned. Then all that each got is looked
 * through for accounts of others, and for bytes that tie what it got at one time to what it got at another.
 */
export function learnedIn(subject: SchemeSubject): Readonly<Record<Lesson, boolean>> {
  const market = new Market({ ...subject, seed: `learned ${subject.name}` });
  const [alice, bob, ...others] = market.open(['alice', 'bob', 'carol', 'dave', 'erin'], accountSat);
  const [first, second, third, fourth] = market.open(['first', 'second', 'third', 'fourth'], 0n);
  const got = new Knowledge();
  const pays = (payer: Peer, payee: Peer, circuit: string): void => {
    for (let i = 0; i < paymentsEach; i++) {
      const bargain = payer.pay(payee, paymentMsat);
      if (bargain.kind === 'refused') continue;
      for (const bytes of bargain.wire.payments)
        got.add({ by: payee.name, from: `${payer.name} ${circuit}`, bytes });
      for (const bytes of bargain.wire.targets) got.add({ by: payer.name, from: payee.name, bytes });
    }
    for (const bytes of payer.part().payments)
      got.add({ by: payee.name, from: `${payer.name} ${circuit}`, bytes });
  };
  market.parties.tap = ({ from, to, scheme, request, reply }) => {
    if (isOfPublicList(scheme, request)) return;
    got.add({ by: to, from, bytes: request });
    got.add({ by: asked(to), from, bytes: request });
    if (reply === undefined) return;
    got.add({ by: from, from: to, bytes: reply });
    // Whoever answers knows its answer.
    got.add({ by: to, from, bytes: reply });
  };
  for (const circuit of ['one', 'two']) {
    for (const payee of [first, second]) {
      pays(alice, payee, circuit);
      pays(bob, payee, circuit);
    }
  }
  pays(bob, fourth, 'one');
  market.settle();
  // Value that was earned goes on, as far as the scheme lets it.
  pays(first, third, 'one');
  market.settle();
  for (const payee of [first, second, third, fourth]) payee.deposit();
  market.runFor(60_000);
  readChain(market, got);
  const side = (by: Peer, from: Peer, circuit: string) => ({ by: by.name, from: `${from.name} ${circuit}` });
  const managers = [alice, bob, ...others];
  const knows = (whom: Peer): boolean =>
    managers.some(({ name }) => got.holdsAny(asked(name), whom.ownerKeys));
  return {
    'payee: account of the payer': got.holdsAny(first.name, alice.ownerKeys),
    'payee: the same payer on two circuits': got.links(side(first, alice, 'one'), side(first, alice, 'two'), [
      side(first, bob, 'one'),
      side(first, bob, 'two'),
    ]),
    'two payees together: the same payer': got.links(side(first, alice, 'one'), side(second, alice, 'one'), [
      side(first, bob, 'one'),
      side(second, bob, 'one'),
    ]),
    'broker or chain: who paid whom': got.links(
      { by: brokerName, from: alice.name },
      { by: brokerName, from: first.name },
      [
        { by: brokerName, from: bob.name },
        { by: brokerName, from: fourth.name },
      ],
    ),
    'coin owner or assistant: account of the payer': knows(first),
    'coin owner or assistant: account of the payee': knows(third),
    'payee: account of an earlier holder':
      got.holdsAny(third.name, alice.ownerKeys) || got.holdsAny(third.name, bob.ownerKeys),
  };
}

/** The list of those who assist is signed for all to read: who is on it has told nobody of a payment. */
function isOfPublicList(scheme: number, [op]: Uint8Array): boolean {
  return scheme === cpay.schemeId && (op === cpay.requestOp.list || op === cpay.requestOp.epoch);
}

/**
 * Everybody reads the chain: the transactions that a payment names and, back from there, those whose outputs they spend; as
 * the chain itself, those that hold an owner's key.
 */
function readChain(market: Market, got: Knowledge): void {
  for (const { txid, bytes } of [...market.onChainSince(0).transactions].reverse()) {
    got.read(txid, bytes);
    for (const { name, ownerKeys } of market.peers)
      if (ownerKeys.some(key => holds(bytes, key))) got.add({ by: brokerName, from: name, bytes });
  }
}
