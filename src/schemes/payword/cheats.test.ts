import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import type { Peer } from '../coin-peers.fixture.ts';
import { brokerOperation, certificate, certifyBody, commitment, escrow, lockBody } from './messages.ts';
import {
  ask,
  certificateOf,
  count,
  open,
  promise,
  sceneOf,
  session,
  start,
  unitMsat,
} from './promises.fixture.ts';
import { judge, overspent, type Spent } from './proofs.ts';
import { type Commitment, creditMsat, hashOf, noBacking } from './terms.ts';

describe('a payer of PayWord', () => {
  it('that spends beyond its limit at several vendors, is convicted when they settle, and gets no credit again', () => {
    const { broker, payer, vendors } = sceneOf('overspent', 'credit');
    const granted = certificateOf(payer, broker);
    const backing = certificate.encode(granted);
    for (const vendor of vendors) {
      // No vendor can know of the others: each sees a promise within the limit.
      const { said, words } = promise(payer.account, vendor, hashOf(backing), granted.expiry);
      expect(vendor.take(session, open(said, words, 60, backing, 0))).toMatchObject({
        kind: 'added',
        value: 60n * unitMsat,
      });
    }
    const convicted = () => broker.proofs.map(proof => toHex(judge(proof).guilty ?? new Uint8Array(0)));
    const settled = vendors.map(vendor => {
      vendor.do(() => vendor.payee.ended(session));
      return { msat: broker.balanceOf(vendor) - start, guilty: [...new Set(convicted())] };
    });
    const guilty = [toHex(payer.account.publicKey)];
    expect(settled).toEqual([
      { msat: 60n * unitMsat, guilty: [] },
      { msat: 40n * unitMsat, guilty },
      { msat: 0n, guilty },
    ]);
    expect(broker.balanceOf(payer)).toBe(start - creditMsat);
    const more = certifyBody.encode({ operation: brokerOperation.certify, limitMsat: unitMsat });
    expect(ask(payer, broker, more)).toBe('overspent');
    broker.expectBacked();
  });

  it('that overspends one certificate is convicted by what it promised under that, whatever it did under another', () => {
    const { broker, payer, vendors } = sceneOf('two certificates', 'credit');
    const spend = (vendor: Peer, words: number): void => {
      const granted = certificateOf(payer, broker);
      const backing = certificate.encode(granted);
      const chain = promise(payer.account, vendor, hashOf(backing), granted.expiry);
      const payment = open(chain.said, chain.words, words, backing, 0);
      expect(vendor.take(session, payment)).toMatchObject({ kind: 'added' });
    };
    const [first, ...others] = vendors;
    spend(first, count);
    first.do(() => first.payee.ended(session));
    for (const vendor of others) spend(vendor, 60);
    for (const vendor of others) vendor.do(() => vendor.payee.ended(session));
    const proofs = broker.proofs;
    expect(proofs).toHaveLength(1);
    for (const proof of proofs) expect(judge(proof).guilty).toEqual(payer.account.publicKey);
  });

  it('cannot pay one vendor with what it promised another', () => {
    const { broker, payer, vendors } = sceneOf('foreign', 'credit');
    const [first, second] = vendors;
    const granted = certificateOf(payer, broker);
    const backing = certificate.encode(granted);
    const { said } = promise(payer.account, second, hashOf(backing), granted.expiry);
    const words = new HashChain(said.name, new Uint8Array(32).fill(7), count);
    const foreign = commitment.sign(payer.account, { ...said, payee: first.account.publicKey });
    expect(second.take(session, open(foreign, words, 1, backing, 0))).toMatchObject({
      fault: { code: 'badTerms' },
    });
  });

  it('that promises more than it has, prepaid, finds no broker to stand behind it', () => {
    const { broker, payer, vendors } = sceneOf('overcommitted', 'prepaid');
    const [first, second] = vendors;
    const expiry = Math.floor((broker.world.wallStartMs + broker.world.nowUs / 1_000) / 1_000) + 3 * 3_600;
    const lock = (said: Commitment) =>
      ask(payer, broker, lockBody.encode({ operation: brokerOperation.lock, commitment: said }));
    const sixTenths = (vendor: Peer) => {
      const { said, words } = promise(payer.account, vendor, noBacking, expiry);
      const dear = { ...said, unitMsat: (start * 6n) / 1_000n };
      return { said: commitment.sign(payer.account, dear), words };
    };
    const one = sixTenths(first);
    const locked = lock(one.said) as Uint8Array;
    expect(escrow.decode(locked)).toBeDefined();
    const other = sixTenths(second);
    expect(lock(other.said)).toBe('overspent');
    expect(second.take(session, open(other.said, other.words, 1, locked, 1))).toMatchObject({
      fault: { code: 'badSignature' },
    });
    expect(first.take(session, open(one.said, one.words, 1, locked, 1))).toMatchObject({ kind: 'added' });
    expect(broker.proofs).toEqual([]);
  });
});

describe('a proof of PayWord', () => {
  const [broker, payer, stranger] = [1, 2, 3].map(byte => new SigningKey(new Uint8Array(32).fill(byte)));
  const granted = certificate.sign(broker, {
    payer: payer.publicKey,
    serial: new Uint8Array(16),
    limitMsat: creditMsat,
    expiry: 2_000_000_000,
  });
  const spent = (index: number, vendor: number, by = payer): Spent => {
    const name = new Uint8Array(16).fill(vendor);
    const words = new HashChain(name, new Uint8Array(32).fill(vendor), count);
    const payee = new SigningKey(new Uint8Array(32).fill(10 + vendor)).publicKey;
    const said = { payer: by.publicKey, payee, name, root: words.root, unitMsat, count, expiry: 1 };
    const signed = commitment.sign(by, { ...said, backing: hashOf(certificate.encode(granted)) });
    return { commitment: signed, index, word: words.word(index) };
  };

  it('names the payer when the words come to more than its limit, and else nobody', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: count }), { minLength: 1, maxLength: 4 }), indices => {
        const proof = overspent(
          granted,
          indices.map((index, vendor) => spent(index, vendor)),
        );
        const total = indices.reduce((sum, index) => sum + index, 0);
        expect(judge(proof).guilty).toEqual(total > 100 ? payer.publicKey : undefined);
      }),
      { numRuns: 40 },
    );
  });

  it('counts no promise twice, none of another payer, and none with a word or a bit that is not its own', () => {
    const [one, two] = [spent(60, 1), spent(60, 2)];
    const refuted = [
      [one, one],
      [one, spent(60, 2, stranger)],
      [one, { ...two, index: 61 }],
      [one, { ...two, word: one.word }],
    ];
    for (const each of refuted) expect(judge(overspent(granted, each)).guilty).toBeUndefined();
    const proof = overspent(granted, [one, two]);
    expect(judge(proof).guilty).toEqual(payer.publicKey);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 }), fc.nat(), (which, at) => {
        const parts = proof.parts.map(part => part.slice());
        parts[which][(at >> 3) % parts[which].length] ^= 1 << (at & 7);
        expect(judge({ ...proof, parts }).guilty).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });
});
