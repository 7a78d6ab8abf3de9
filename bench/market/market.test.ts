import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { SigningKey, verifyDigest } from '../../src/crypto/ecdsa.ts';
import { Ed25519Key, ed25519Verify } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/sha.ts';
import { wordBefore } from '../../src/payment/hash-chain.ts';
import { brokeredSchemes } from '../../src/schemes/brokered.ts';
import { World } from '../../src/sim/world.ts';
import { cellBytes } from './cell-bytes.ts';
import { coloursOf } from './colours.ts';
import { costsOf } from './costs.ts';
import { type SchemeResults, schemesDocument } from './document.ts';
import { doubleSpendOf } from './double-spend.ts';
import { handedOn } from './hands.ts';
import { Knowledge } from './knowledge.ts';
import { learnedIn } from './learned.ts';
import { loadOf } from './load.ts';
import { Meter } from './meter.ts';
import { channelSubject, schemeSubjects } from './subjects.ts';

const subjects = schemeSubjects();
const subjectOf = (name: string) => subjects.find(each => each.name === name) ?? subjects[0];
const ppay = subjectOf('ppay, reassigned');

test('every payment system is compared, each in its own colour', () => {
  expect(new Set(subjects.map(({ scheme }) => scheme))).toEqual(new Set([undefined, ...brokeredSchemes]));
  const colours = coloursOf(subjects.map(({ name }) => name));
  expect(new Set(colours).size).toBe(subjects.length);
});

test('what is done in the turn of a party is counted as its own, and nothing else is', () => {
  const world = new World({ seed: 1 });
  const meter = new Meter(world);
  const key = new SigningKey(new Uint8Array(32).fill(3));
  const digest = sha256(utf8('nobody has asked for this one'));
  const identity = new Ed25519Key(new Uint8Array(32).fill(4));
  world.turn({ index: 1, name: 'one' }, () => {
    key.sign(sha256(utf8('a')));
    verifyDigest(key.publicKey, digest, key.sign(digest));
    wordBefore(new Uint8Array(16), digest, 5);
    ed25519Verify(identity.publicKey, digest, identity.sign(digest));
  });
  meter.stop();
  world.turn({ index: 1, name: 'one' }, () => key.sign(digest));
  expect(meter.of('one')).toMatchObject({ signatures: 3, verifications: 2, hashes: 6 });
  expect(meter.of('two')).toMatchObject({ signatures: 0, verifications: 0, hashes: 0 });
});

test('two heaps of bytes are tied together by what both hold and no bystander holds', () => {
  const got = new Knowledge();
  const secret = sha256(utf8('coin'));
  const common = sha256(utf8('what every payment says'));
  const said = (by: string, from: string, ...parts: Uint8Array[]) =>
    got.add({ by, from, bytes: Buffer.concat(parts) });
  said('payee', 'alice 1', common, secret);
  said('payee', 'alice 2', common, utf8('x'), secret);
  said('payee', 'bob 1', common);
  said('payee', 'carol 1', common, sha256(utf8('of carol')));
  const of = (from: string) => ({ by: 'payee', from });
  expect(got.links(of('alice 1'), of('alice 2'), [of('bob 1')])).toBe(true);
  expect(got.links(of('alice 1'), of('carol 1'), [of('bob 1')])).toBe(false);
  expect(got.holds('payee', secret, 'alice 2')).toBe(true);
  expect(got.holds('payee', secret, 'bob 1')).toBe(false);
});

/** Circuits end ten minutes after their payment. */
const circuitMs = 600_000;

test('who promises more on credit than it is lent is found when payees hand in, who lose', () => {
  const spend = doubleSpendOf(subjectOf('payword, credit'), 0);
  expect(spend).toMatchObject({ found: 'later', proved: true, named: true });
  expect(spend.lostMsat).toBeGreaterThan(0n);
});

test.each([
  // The broker knows a pseudonym.
  ['p2p-netpay', 'payer and payee', false],
  ['ppay, reassigned', 'buyer', true],
  ['whopay, unlisted', 'buyer', true],
  ['cpay, paper', 'buyer', true],
] as const)(
  '%s, spent twice by a %s: a proof comes when payees hand in, and they are paid',
  (name, cheat, named) => {
    const spend = doubleSpendOf(subjectOf(name), 0, cheat);
    expect(spend).toMatchObject({ found: 'later', proved: true, named, lostMsat: 0n });
    expect(spend.afterMs).toBeGreaterThan(circuitMs);
  },
);

test.each([
  ['payword, prepaid', 'buyer'],
  ['ppay, reassigned', 'holder'],
  ['whopay, unlisted', 'holder'],
  ['whopay, listed', 'buyer'],
  ['cpay, named', 'buyer'],
  ['cpay, anonymous', 'buyer'],
  ['cpay, anonymous', 'holder'],
  ['cpay, group', 'holder'],
] as const)('%s, spent twice by a %s: refused at once, and nobody loses', (name, cheat) => {
  const spend = doubleSpendOf(subjectOf(name), 0, cheat);
  expect(spend).toMatchObject({ found: 'at once', lostMsat: 0n });
  expect(spend.afterMs).toBeLessThan(1_000);
});

test('what a holder spends twice by layers is credited before anybody knows', () => {
  const spend = doubleSpendOf(subjectOf('ppay, layered'), 0, 'holder');
  expect(spend).toMatchObject({ found: 'later', proved: true, named: true });
  expect(spend.lostMsat).toBeGreaterThan(0n);
});

test.each([
  // It pays one of two contracts that are made of one coin.
  channelSubject,
  // A vendor lets its chain go once; it buys another.
  subjectOf('p2p-netpay'),
])('$name: a payer that lives twice gains nothing', subject => {
  expect(doubleSpendOf(subject, 0)).toMatchObject({ found: 'nothing to find', lostMsat: 0n });
});

test('whoever is on the list of assistants has told no payee of a payment', () => {
  expect(learnedIn(subjectOf('cpay, anonymous'))).toMatchObject({
    'payee: account of the payer': false,
    'payee: account of an earlier holder': false,
    'coin owner or assistant: account of the payee': false,
    'broker or chain: who paid whom': true,
  });
  expect(learnedIn(subjectOf('cpay, named'))).toMatchObject({
    'payee: account of the payer': true,
    'payee: account of an earlier holder': false,
  });
});

test('channels are counted on the chain, and read there by whom they are told of', () => {
  const costs = costsOf(channelSubject, { circuits: 1, paymentsEach: 5 }, 0);
  expect(costs['transactions on the chain']).toBeGreaterThan(0);
  expect(costs).toMatchObject({ 'requests to the broker': 0 });
  expect(costs['fees on the chain']).toBeGreaterThan(0);
  expect(learnedIn(channelSubject)).toMatchObject({
    'payee: account of the payer': true,
    'broker or chain: who paid whom': false,
  });
});

test('payments are counted in the cells of circuits, receipts and headers of fragments included', () => {
  const circuits = { circuits: 1, paymentsEach: 4 };
  const costs = costsOf(subjectOf('payword, credit'), circuits, 0);
  const again = costsOf(subjectOf('payword, credit'), circuits, 0);
  const counts = (found: object) => Object.entries(found).filter(([measure]) => !measure.startsWith('CPU'));
  expect(counts(again)).toEqual(counts(costs));
  // A REDEEM and a RECEIPT of a cell each, and at each hop once a REDEEM that only asks how to pay.
  expect(costs['payment messages']).toBeGreaterThan(2);
  expect(costs['payment cells']).toBe(costs['payment messages']);
  // The payee signs how to pay next in each RECEIPT, and the payer looks at it.
  expect(costs['signatures, payee']).toBeGreaterThanOrEqual(1);
  expect(costs['verifications, payer']).toBeGreaterThanOrEqual(0.5);
  // All three hops are paid alike: cells pass two links each.
  const links = costs['payment bytes on links'] / costs['payment cells'] / cellBytes;
  expect(links).toBeGreaterThan(1.8);
  expect(links).toBeLessThan(2.2);
});

test('coins of ppay go from hand to hand without the broker, and those with layers grow', () => {
  const [flat, layered] = subjects.filter(({ name }) => name.startsWith('ppay')).map(handedOn);
  for (const found of [flat, layered])
    expect(found).toMatchObject({
      'earned money is spent again': 1,
      'requests to the broker when spent again': 0,
    });
  expect(flat['payment bytes, ninth hand']).toBe(flat['payment bytes, first hand']);
  expect(layered['payment bytes, ninth hand']).toBeGreaterThan(2 * layered['payment bytes, first hand']);
});

test('coins of cpay that wait for one list of assistants all go on', () => {
  const [named] = subjects.filter(({ name }) => name.startsWith('cpay'));
  expect(handedOn(named)).toMatchObject({ 'earned money is spent again': 1 });
});

test('what is measured fills the table, beside the words of the paper', () => {
  const factors = { scheme: ppay.name };
  const found = (values: Readonly<Record<string, number>>, more = {}) =>
    Object.entries(values).map(([measure, value]) => ({
      measure,
      factors: { ...factors, ...more },
      values: [value],
    }));
  const costs = costsOf(ppay, { circuits: 1, paymentsEach: 3 }, 0);
  expect(costs).toMatchObject({
    'payment messages': expect.any(Number),
    'signatures, payee': expect.any(Number),
  });
  const [few, more] = [5, 10].map(peers => loadOf(ppay, { peers, awayPercent: 0, secondsMax: 60 }));
  expect(few).toMatchObject({ 'payments made': 100, 'payments tried': 4 });
  const lessons = Object.entries(learnedIn(ppay)).map(([lesson, known]) => [lesson, Number(known)] as const);
  const series = [
    ...found(costs),
    ...found(few, { peers: 5 }),
    ...found(more, { peers: 10 }),
    ...found(few, { away: 0 }),
    ...found(Object.fromEntries(lessons)),
    ...found(handedOn(ppay)),
  ];
  const measures = Object.fromEntries(lessons.map(([lesson]) => [lesson, { unit: '1: learned' }]));
  const environment = { commit: 'abc' };
  const throughput = (window: number | string, values: number[]) => ({
    measure: 'throughput',
    factors: { ...factors, window },
    values,
  });
  const transferred = { ...throughput(1_024, [60]), measure: 'transferred' };
  const windows = {
    settings: { size: 5e6 },
    series: [throughput('control', [40]), throughput(1_024, [30]), transferred],
    environment,
  };
  const schemes = {
    series,
    measures,
    settings: { sizes: [5, 10], away: [0], paymentsPerPeer: 4 },
    environment,
  };
  const text = schemesDocument({ schemes, windows } as unknown as SchemeResults, 'pictures');
  for (const line of [
    '| payee: account of the payer | learned |',
    `| ${ppay.name} | 40 MB/s | 30 MB/s (75 %),  payments, cut at 60 % of it |`,
  ])
    expect(text).toContain(line);
  expect(text).toMatch(/ppay, reassigned \| Scalability .* (agrees|\*\*disagrees\*\*) \|/);
});
