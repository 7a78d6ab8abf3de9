import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { scriptOfAddress } from '../../bitcoin/wallet.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { payword } from './index.ts';
import {
  brokerOperation,
  certificate,
  certifyBody,
  commitment,
  escrow,
  lockBody,
  openMessage,
  operation,
  schemeId,
  targetMessage,
} from './messages.ts';
import { judge, overspent, type Spent } from './proofs.ts';
import { type Certificate, type Commitment, creditMsat, hashOf, noBacking } from './terms.ts';

const start = 10n ** 9n;
/** A hundred words are worth all that is ever lent to one account. */
const [unitMsat, count] = [creditMsat / 100n, 100];
const session = 1;

/** A payer, vendors, and a broker that has money of its own to lend. */
function sceneOf(seed: string, variant: string) {
  const world = new CoinWorld(payword, seed);
  const { broker } = world;
  broker.chain.issue(scriptOfAddress(broker.addressFor(broker.key))!, 1_000_000n);
  broker.mine();
  const payer = world.peer('payer', variant);
  const vendors = ['first', 'second', 'third'].map(name => world.peer(name, variant));
  return { broker, payer, vendors };
}

type Broker = CoinWorld['broker'];

function ask(payer: Peer, broker: Broker, body: Uint8Array): Uint8Array | string {
  return payer.ask(broker.at, makeAccountRequest(payer.account, payer.process.host.entropy, body));
}

/** A promise to that vendor, under the name that its target gives. */
function promise(payer: SigningKey, vendor: Peer, backing: Uint8Array, expiry: number) {
  const { payee, name } = targetMessage.decode(vendor.process.turn(() => vendor.payee.target(session)))!;
  const words = new HashChain(name, new Uint8Array(32).fill(7), count);
  const { publicKey } = payer;
  const said = { payer: publicKey, payee, name, root: words.root, unitMsat, count, expiry, backing };
  return { said: commitment.sign(payer, said), words };
}

function open(said: Commitment, words: HashChain, index: number, backing: Uint8Array, prepaid: 0 | 1) {
  const part = { scheme: schemeId, operation: operation.open, prepaid, backing, commitment: said };
  return openMessage.encode({ ...part, index, word: words.word(index) });
}

function certificateOf(payer: Peer, broker: Broker): Certificate {
  const body = certifyBody.encode({ operation: brokerOperation.certify, limitMsat: creditMsat });
  return certificate.decode(ask(payer, broker, body) as Uint8Array)!;
}

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
