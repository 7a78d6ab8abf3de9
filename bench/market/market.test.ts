import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { SigningKey, verifyDigest } from '../../src/crypto/ecdsa.ts';
import { sha256 } from '../../src/crypto/sha.ts';
import { brokeredSchemes } from '../../src/schemes/brokered.ts';
import { World } from '../../src/sim/world.ts';
import { costsOf } from './costs.ts';
import { schemesDocument } from './document.ts';
import { doubleSpendOf } from './double-spend.ts';
import { Knowledge } from './knowledge.ts';
import { learnedIn } from './learned.ts';
import { loadOf } from './load.ts';
import { Meter } from './meter.ts';
import { schemeSubjects } from './subjects.ts';

const subjects = schemeSubjects();
const ppay = subjects.find(({ name }) => name.startsWith('ppay')) ?? subjects[0];

test('every payment system with a broker is compared', () => {
  expect(new Set(subjects.map(({ scheme }) => scheme))).toEqual(new Set(brokeredSchemes));
});

test('what is done in the turn of a party is counted as its own, and nothing else is', () => {
  const world = new World({ seed: 1 });
  const meter = new Meter(world);
  const key = new SigningKey(new Uint8Array(32).fill(3));
  const digest = sha256(utf8('nobody has asked for this one'));
  world.turn({ index: 1, name: 'one' }, () => {
    key.sign(sha256(utf8('a')));
    verifyDigest(key.publicKey, digest, key.sign(digest));
  });
  meter.stop();
  world.turn({ index: 1, name: 'one' }, () => key.sign(digest));
  expect(meter.of('one')).toMatchObject({ signatures: 2, verifications: 1, hashes: 1 });
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

test('a payer that lives twice and pays by coins is found out, and it is proved', () => {
  expect(doubleSpendOf(ppay, 0)).toMatchObject({ caught: 'when handed in', proved: true });
});

test('what is measured fills the table, beside the words of the paper', () => {
  const factors = { scheme: ppay.name };
  const found = (values: Readonly<Record<string, number>>, more = {}) =>
    Object.entries(values).map(([measure, value]) => ({
      measure,
      factors: { ...factors, ...more },
      values: [value],
    }));
  const costs = costsOf(ppay, 9, 0);
  expect(costs).toMatchObject({ 'payment messages': 2, 'signatures, payee': expect.any(Number) });
  const [few, more] = [5, 10].map(peers => loadOf(ppay, { peers, awayPercent: 0, repeat: 0 }));
  expect(few['payments made']).toBe(100);
  const lessons = Object.entries(learnedIn(ppay)).map(([lesson, known]) => [lesson, Number(known)] as const);
  const series = [
    ...found(costs),
    ...found(few, { peers: 5 }),
    ...found(more, { peers: 10 }),
    ...found(few, { away: 0 }),
    ...found(Object.fromEntries(lessons)),
  ];
  const measures = Object.fromEntries(lessons.map(([lesson]) => [lesson, { unit: '1: learned' }]));
  const text = schemesDocument(
    { series, measures, environment: { commit: 'abc' } } as unknown as Parameters<typeof schemesDocument>[0],
    'pictures',
  );
  expect(text).toContain(`| payee: account of the payer | learned |`);
  expect(text).toContain(`| messages on the circuit | 2 |`);
  expect(text).toMatch(/ppay, reassigned \| Scalability .* (agrees|\*\*disagrees\*\*) \|/);
});
