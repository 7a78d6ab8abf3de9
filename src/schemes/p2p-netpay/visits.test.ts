import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { Peer } from '../coin-peers.fixture.ts';
import { chainOf, session, worldOf } from './chain-by-hand.fixture.ts';
import { type Touchstone, touchstone, type Visit, visit, visitMessage } from './messages.ts';
import { nobody, unitMsat } from './terms.ts';

const stranger = new SigningKey(new Uint8Array(32).fill(99));

interface Truth {
  readonly stone: Touchstone;
  readonly said: Visit;
  readonly user: SigningKey;
  readonly other: Peer;
}

/** What a payer may say instead of the truth. */
type Forgery = (truth: Truth) => { readonly touchstone?: Touchstone; readonly visit?: Visit };

describe('a vendor takes no visit', () => {
  const forgeries: readonly [string, string, Forgery][] = [
    [
      'with a chain that is not the broker\u2019s',
      'badSignature',
      ({ stone }) => ({ touchstone: touchstone.sign(stranger, stone) }),
    ],
    [
      'with a chain whose words are said to be worth more',
      'badSignature',
      ({ stone }) => ({ touchstone: { ...stone, unitMsat: 2n * stone.unitMsat } }),
    ],
    [
      'with a chain that is said to be longer',
      'badSignature',
      ({ stone }) => ({ touchstone: { ...stone, count: stone.count + 1 } }),
    ],
    ['that somebody else signed', 'badSignature', ({ said }) => ({ visit: visit.sign(stranger, said) })],
    [
      'that was for another vendor',
      'badTerms',
      ({ said, user, other }) => ({ visit: visit.sign(user, { ...said, vendor: other.account.publicKey }) }),
    ],
    [
      'that was for another chain',
      'badSignature',
      ({ said, user }) => ({ visit: visit.sign(user, { ...said, chain: new Uint8Array(16) }) }),
    ],
    [
      'that begins at a vendor before',
      'badSignature',
      ({ said, user, other }) => ({ visit: visit.sign(user, { ...said, from: other.account.publicKey }) }),
    ],
    [
      'that goes on from nobody',
      'badSignature',
      ({ said, user }) => ({ visit: visit.sign(user, { ...said, step: 1, from: nobody }) }),
    ],
    [
      'that answers another target',
      'targetOld',
      ({ said, user }) => ({ visit: visit.sign(user, { ...said, nonce: new Uint8Array(16) }) }),
    ],
  ];
  it.each(forgeries)('%s (%s)', (name, code, forge) => {
    const scene = worldOf(name);
    const { first: vendor, second: other } = scene;
    const chain = chainOf(scene, 100);
    const { said, payment } = chain.visit(vendor, session, 0);
    const truth = { stone: chain.touchstone, said, user: chain.user, other };
    const made = { ...visitMessage.decode(payment)!, ...forge(truth) };
    expect(vendor.take(session, visitMessage.encode(made))).toMatchObject({ fault: { code } });
    expect(vendor.take(session, payment)).toMatchObject({ kind: 'added', value: unitMsat });
  });

  it('whose words somebody has stolen: they are spent where their user says', () => {
    const scene = worldOf('stolen');
    const { first, second: thief, third } = scene;
    const chain = chainOf(scene, 100);
    const { payment } = chain.visit(first, session, 0, undefined, { index: 10 });
    expect(first.take(session, payment)).toMatchObject({ value: 10n * unitMsat });
    // It has seen all that went to the first vendor.
    const seen = visitMessage.decode(payment)!;
    expect(third.take(session, payment)).toMatchObject({ fault: { code: 'badTerms' } });
    const own = visit.sign(thief.account, { ...seen.visit, vendor: third.account.publicKey });
    const nonce = chain.visit(third, session, 0).said.nonce;
    const stolen = { ...seen, visit: visit.sign(thief.account, { ...own, nonce }) };
    expect(third.take(session, visitMessage.encode(stolen))).toMatchObject({
      fault: { code: 'badSignature' },
    });
    // Nor does it pay again where it was spent.
    expect(first.take(session + 1, payment)).toMatchObject({ fault: { code: 'targetOld' } });
  });
});

it('asks the vendor before once, and not again for whoever comes back', () => {
  const scene = worldOf('back');
  const { world, first, second } = scene;
  const chain = chainOf(scene, 100);
  expect(first.take(session, chain.visit(first, session, 0).payment)).toMatchObject({ kind: 'added' });
  expect(second.take(session, chain.visit(second, session, 1, first).payment)).toMatchObject({ value: 0n });
  world.trouble(first.at, 'absent');
  const again = chain.visit(second, session + 1, 1, first, { index: 5 }).payment;
  expect(second.take(session + 1, again)).toMatchObject({ kind: 'added', value: 4n * unitMsat });
});
