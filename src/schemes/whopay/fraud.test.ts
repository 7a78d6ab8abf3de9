import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { fraudIn, judge } from './fraud.ts';
import { binding, claim, coin, deposit, type Order, orderKind, type Step, transfer } from './messages.ts';
import { follows, isGenuine, isSameOrder, ownerIdOf } from './steps.ts';

const keyOf = (byte: number) => new SigningKey(new Uint8Array(32).fill(byte));
const [broker, owner, coinKey, stranger] = [91, 92, 93, 94].map(keyOf);
/** Keys that are used once: whoever they belong to. */
const holders = Array.from({ length: 16 }, (_, at) => keyOf(at + 1));
const expirySeconds = 2_000_000_000;
const nonce = new Uint8Array(16);
const made = coin.sign(broker, {
  coinKey: coinKey.publicKey,
  ownerId: ownerIdOf(owner.publicKey, coinKey.publicKey),
  value: 1_024n,
  expirySeconds,
});
const said = claim.sign(owner, { coinKey: coinKey.publicKey, account: owner.publicKey });
const claimed = claim.encode(said);

function bind(holder: SigningKey, sequence: number, by = coinKey) {
  const fields = { coinKey: coinKey.publicKey, holder: holder.publicKey, sequence: BigInt(sequence) };
  return binding.sign(by, { ...fields, expirySeconds, nonce });
}

function orderOf(holder: SigningKey, next: SigningKey, kind: keyof typeof orderKind = 'transfer'): Order {
  const form = kind === 'transfer' ? transfer : deposit;
  const fields = { coinKey: coinKey.publicKey, holder: holder.publicKey, next: next.publicKey, nonce };
  return { kind: orderKind[kind], said: form.sign(holder, fields) };
}

/** A coin that goes from key to key, now and then by the broker in its owner's place, and is handed in at last. */
function walk(route: readonly number[], byBroker: readonly boolean[]): readonly Step[] {
  return route.map((at, step) => ({
    binding: bind(holders[at], step + 1, step > 0 && byBroker[step] ? broker : coinKey),
    order:
      step + 1 < route.length
        ? orderOf(holders[at], holders[route[step + 1]])
        : orderOf(holders[at], stranger, 'deposit'),
  }));
}

const route = fc.uniqueArray(fc.nat(9), { minLength: 2, maxLength: 7 });
const byBroker = fc.array(fc.boolean(), { minLength: 7, maxLength: 7 });
const later = fc.integer({ min: 10, max: holders.length - 1 });

describe('steps of a coin of WhoPay', () => {
  it('convict nobody while each key gave one order, whatever of them is shown', () => {
    fc.assert(
      fc.property(route, byBroker, (hops, away) => {
        const steps = walk(hops, away);
        for (const step of steps) {
          expect(isGenuine(made, step, broker.publicKey)).toBe(true);
          for (const other of steps) {
            expect(fraudIn(step, other, claimed)).toBeUndefined();
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it('are none of another coin, though their binding was found good of their own', () => {
    const [step] = walk([1, 2], []);
    const dearer = { ...made, coinKey: stranger.publicKey };
    expect(isGenuine(made, step, broker.publicKey, step.binding)).toBe(true);
    expect(isGenuine(dearer, step, broker.publicKey, step.binding)).toBe(false);
  });

  it('convict the key that gave two orders, and nobody else', () => {
    fc.assert(
      fc.property(route, byBroker, fc.nat(), later, fc.boolean(), (hops, away, at, next, handedIn) => {
        const steps = walk(hops, away);
        const known = steps[at % steps.length];
        const cheat = holders[hops[at % steps.length]];
        const kind = handedIn ? 'deposit' : 'transfer';
        const again = { binding: known.binding, order: orderOf(cheat, holders[next], kind) };
        fc.pre(!isSameOrder(known.order, again.order));
        for (const step of steps) {
          const fraud = fraudIn(again, step, claimed);
          if (step !== known) expect(fraud).toBeUndefined();
          else {
            expect(fraud?.proof.cheat).toBe('double-spend');
            expect(judge(fraud!.proof)).toMatchObject({ guilty: cheat.publicKey, role: 'holder' });
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it('convict the account whose coin was bound to two under one number, and no holder of either', () => {
    fc.assert(
      fc.property(route, fc.nat(), later, (hops, at, other) => {
        const steps = walk(hops, []);
        const sequence = (at % steps.length) + 1;
        const twin = { binding: bind(holders[other], sequence), order: orderOf(holders[other], stranger) };
        const found = steps.map(step => fraudIn(twin, step, claimed)).filter(fraud => fraud !== undefined);
        expect(found).toHaveLength(1);
        expect(judge(found[0].proof)).toMatchObject({ guilty: owner.publicKey, role: 'owner' });
        expect(toHex(found[0].account!)).toBe(toHex(owner.publicKey));
      }),
      { numRuns: 25 },
    );
  });
});

it('a binding of WhoPay follows an order under the next number alone, for whom and for what it was given', () => {
  const [first, second, third] = holders;
  const step = { binding: bind(first, 3), order: orderOf(first, second) };
  const next = bind(second, 4);
  expect(follows(step, next)).toBe(true);
  expect(follows(step, bind(third, 4))).toBe(false);
  for (const sequence of [3, 5]) expect(follows(step, bind(second, sequence))).toBe(false);
  expect(follows(step, { ...next, nonce: new Uint8Array(16).fill(1) })).toBe(false);
});

describe('a proof of WhoPay', () => {
  const [first, second, third] = holders;
  const step = { binding: bind(first, 1), order: orderOf(first, stranger, 'deposit') };
  const proofs = [
    fraudIn(step, { ...step, order: orderOf(first, third) }, claimed)!.proof,
    fraudIn(step, { binding: bind(second, 1), order: orderOf(second, third) }, claimed)!.proof,
  ];

  it.each(proofs)('of $cheat convicts nobody once a bit of it is changed', proof => {
    const { guilty } = judge(proof);
    expect(guilty).toEqual(proof.cheat === 'double-spend' ? first.publicKey : owner.publicKey);
    fc.assert(
      fc.property(fc.nat(proof.parts.length - 1), fc.nat(), (which, at) => {
        const parts = proof.parts.map(part => part.slice());
        parts[which][(at >> 3) % parts[which].length] ^= 1 << (at & 7);
        expect(judge({ ...proof, parts }).guilty).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  it('against an owner names who claimed the coin, and no stranger that would', () => {
    const other = claim.sign(stranger, { coinKey: keyOf(95).publicKey, account: stranger.publicKey });
    const forged = { ...said, account: stranger.publicKey };
    for (const parts of [other, forged].map(each => [claim.encode(each), ...proofs[1].parts.slice(1)]))
      expect(judge({ ...proofs[1], parts }).guilty).toBeUndefined();
  });

  it('is none when both parts say the same, or are no statements', () => {
    const [order] = proofs[0].parts;
    expect(judge({ ...proofs[0], parts: [order, order] }).guilty).toBeUndefined();
    const cheat = fc.constantFrom('double-spend', 'double-binding', 'unanswered', 'x');
    const garbage = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 7 });
    fc.assert(
      fc.property(cheat, garbage, (named, parts) => {
        expect(judge({ scheme: 'whopay', cheat: named, parts }).guilty).toBeUndefined();
      }),
    );
  });
});
