import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import {
  agree,
  contradict,
  handedOver,
  handoverAt,
  holderOf,
  isGenuine,
  pathOf,
  tailOf,
} from './coin-path.ts';
import { fraudIn, isProven, judge, proofOf } from './fraud.ts';
import { assignedCoin, type CoinPath, coinPath, handover, rawCoin } from './messages.ts';

const broker = new SigningKey(new Uint8Array(32).fill(99));
const peers = Array.from({ length: 6 }, (_, at) => new SigningKey(new Uint8Array(32).fill(at + 1)));
const [owner] = peers;
const coin = rawCoin.sign(broker, {
  serial: new Uint8Array(20).fill(9),
  owner: owner.publicKey,
  value: 1_024n,
  expirySeconds: 2_000_000_000,
});
const peerOf = (publicKey: Uint8Array) => peers.find(peer => toHex(peer.publicKey) === toHex(publicKey))!;
const first = (holder: SigningKey) =>
  pathOf(assignedCoin.sign(owner, { coin, holder: holder.publicKey, position: 1n }));
const goOn = (path: CoinPath, next: SigningKey) => handedOver(path, peerOf(holderOf(path)), next.publicKey);

/** Which peers hold the coin one after the other. */
const route = fc.array(fc.nat(peers.length - 1), { minLength: 1, maxLength: 7 });
const walk = (hops: readonly number[]) =>
  hops.slice(1).reduce((path, hop) => goOn(path, peers[hop]), first(peers[hops[0]]));

describe('paths of a coin', () => {
  it('are genuine as they were signed, and not once a bit is changed', () => {
    fc.assert(
      fc.property(route, fc.nat(), (hops, at) => {
        const path = walk(hops);
        expect(isGenuine(path, broker.publicKey)).toBe(true);
        const bytes = coinPath.encode(path);
        const bit = at % (bytes.length * 8);
        bytes[bit >> 3] ^= 1 << (bit & 7);
        const changed = coinPath.decode(bytes);
        expect(changed !== undefined && isGenuine(changed, broker.publicKey)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it('of honest peers never convict anybody, whatever of them is shown', () => {
    fc.assert(
      fc.property(route, fc.nat(6), fc.nat(6), (hops, a, b) => {
        const whole = walk(hops);
        const part = (from: number) => tailOf(whole, BigInt(1 + (from % hops.length)), owner);
        const [one, other] = [part(a), part(b)];
        expect(agree(one, other)).toBe(true);
        expect(contradict(one, other, broker.publicKey)).toBe(false);
        expect(fraudIn(one, other, broker.publicKey)).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  it('convict the peer that handed the coin to two, whatever is shown of either way', () => {
    fc.assert(
      fc.property(route, route, route, fc.nat(6), fc.nat(6), (common, left, right, a, b) => {
        fc.pre(left[0] !== right[0]);
        const fork = walk(common);
        const cheat = holderOf(fork);
        const ways = [left, right].map(hops => hops.reduce((path, hop) => goOn(path, peers[hop]), fork));
        const shown = ways.map((way, at) => tailOf(way, BigInt(1 + ([a, b][at] % common.length)), owner));
        const fraud = fraudIn(shown[0], shown[1], broker.publicKey);
        expect(fraud?.cheat).toBe('double-handover');
        expect(toHex(fraud!.guilty)).toBe(toHex(cheat));
        expect(isProven(fraud!)).toBe(true);
        const verdict = judge(proofOf(fraud!));
        expect(verdict.guilty).toEqual(cheat);
      }),
      { numRuns: 60 },
    );
  });

  it('convict the owner that assigned one position to two', () => {
    const fraud = fraudIn(goOn(first(peers[1]), peers[3]), goOn(first(peers[2]), peers[3]), broker.publicKey);
    expect(judge(proofOf(fraud!))).toMatchObject({ guilty: owner.publicKey, role: 'owner' });
  });
});

describe('a proof', () => {
  const fork = goOn(first(peers[1]), peers[2]);
  const fraud = fraudIn(goOn(fork, peers[3]), goOn(fork, peers[4]), broker.publicKey)!;

  it('convicts nobody else, and nobody once a bit of it is changed', () => {
    const proof = proofOf(fraud);
    for (const other of [...peers, broker].filter(peer => peer !== peers[2]))
      expect(judge({ ...proof, parts: [other.publicKey, ...proof.parts.slice(1)] }).guilty).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(proof.parts.length - 1), fc.nat(), (which, at) => {
        const parts = proof.parts.map(part => part.slice());
        const part = parts[which];
        part[(at >> 3) % part.length] ^= 1 << (at & 7);
        expect(judge({ ...proof, parts }).guilty).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  it('of two assignments convicts nobody once a bit of what was signed is changed', () => {
    const proof = proofOf(fraudIn(first(peers[1]), first(peers[2]), broker.publicKey)!);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 }), fc.nat(), (which, at) => {
        const parts = proof.parts.map(part => part.slice());
        const part = parts[which];
        part[(at >> 3) % part.length] ^= 1 << (at & 7);
        expect(judge({ ...proof, parts }).guilty).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  it('is none of what one key may say of two positions of a coin', () => {
    const back = goOn(goOn(goOn(first(peers[1]), peers[2]), peers[1]), peers[3]);
    const handed = [1n, 3n].map(at => handover.encode(handoverAt(back, at)!));
    const twice = { scheme: 'ppay', cheat: 'double-handover', parts: [peers[1].publicKey, ...handed] };
    expect(judge(twice).guilty).toBeUndefined();
    const assigned = [1n, 2n].map(at => assignedCoin.encode(tailOf(back, at, owner).assigned));
    const both = { scheme: 'ppay', cheat: 'double-assignment', parts: [owner.publicKey, ...assigned] };
    expect(judge(both).guilty).toBeUndefined();
  });

  it('is none of a cheat that has no such name, or where one part is no statement', () => {
    const assignments = proofOf(fraudIn(first(peers[1]), first(peers[2]), broker.publicKey)!);
    for (const { cheat, parts } of [proofOf(fraud), assignments]) {
      expect(judge({ scheme: 'ppay', cheat, parts }).guilty).toBeDefined();
      expect(judge({ scheme: 'ppay', cheat: 'unanswered', parts }).guilty).toBeUndefined();
      for (const at of [1, 2]) {
        const cut = parts.map((part, index) => (index === at ? part.slice(1) : part));
        expect(judge({ scheme: 'ppay', cheat, parts: cut }).guilty).toBeUndefined();
      }
    }
  });

  it('is no proof when both parts say the same, or are no statements', () => {
    const { guilty, parts } = fraud;
    expect(
      judge({ scheme: 'ppay', cheat: 'double-handover', parts: [guilty, parts[0], parts[0]] }).guilty,
    ).toBeUndefined();
    const garbage = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 6 });
    fc.assert(
      fc.property(
        fc.constantFrom('double-handover', 'double-assignment', 'unanswered', 'x'),
        garbage,
        (cheat, made) => {
          expect(judge({ scheme: 'ppay', cheat, parts: made }).guilty).toBeUndefined();
        },
      ),
    );
  });
});
