import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { formatProof, parseProof } from '../../payment/proof.ts';
import { Scene } from './bought-chain.fixture.ts';
import { p2pNetpay } from './index.ts';
import { claim, index, visit } from './messages.ts';
import { forked, handedTwice, overclaimed } from './proofs.ts';
import { proofsMax } from './terms.ts';

describe('the broker of p2p-netpay', () => {
  it('pays vendors of one chain for their own words, in whatever order they come, each once', () => {
    const scene = new Scene();
    const handed = scene.index(0, 0, 1, 30);
    expect(scene.redeem(scene.claim(1, 1, 30, 70), scene.visit(1, 1, 0), handed)).toBe(40);
    expect(scene.redeem(scene.claim(0, 0, 0, 20), scene.visit(0, 0))).toBe(20);
    expect(scene.redeem(scene.claim(0, 0, 0, 30), scene.visit(0, 0))).toBe(30);
    expect(scene.redeem(scene.claim(0, 0, 0, 30), scene.visit(0, 0))).toBe(30);
    expect(scene.broker.balanceMsat(scene.vendors[0])).toBe(30_000n);
    expect(scene.broker.balanceMsat(scene.vendors[1])).toBe(40_000n);
    expect(scene.convicted()).toEqual([]);
  });

  it('finds a vendor that redeems beyond the Index by which it handed the chain on', () => {
    for (const order of [0, 1]) {
      const scene = new Scene();
      const claims = [
        () => scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0)),
        () => scene.redeem(scene.claim(1, 1, 30, 60), scene.visit(1, 1, 0), scene.index(0, 0, 1, 30)),
      ];
      claims[order]();
      claims[1 - order]();
      expect(scene.convicted()).toEqual([toHex(scene.key(0))]);
      // What it gave away it gives back, whoever came first.
      expect(scene.earned).toEqual([30, 30, 0]);
      expect(scene.charged).toBe(60);
      scene.expire();
      expect([scene.earned, scene.charged]).toEqual([[30, 30, 0], 60]);
    }
  });

  it('pays the same, and finds the same cheats, in whatever order claims come', () => {
    const orders = [0, 1, 2].flatMap(a => [1, 2].map(b => [a, (a + b) % 3, (a + 3 - b) % 3]));
    for (const order of orders) {
      const scene = new Scene();
      const claims = [
        () => scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0)),
        () => scene.redeem(scene.claim(1, 1, 30, 70), scene.visit(1, 1, 0), scene.index(0, 0, 1, 30)),
        () => scene.redeem(scene.claim(2, 2, 60, 65), scene.visit(2, 2, 1), scene.index(1, 1, 2, 60)),
      ];
      for (const at of order) claims[at]();
      expect(scene.convicted().sort()).toEqual([toHex(scene.key(0)), toHex(scene.key(1))].sort());
      expect([scene.earned, scene.charged]).toEqual([[30, 30, 5], 65]);
    }
  });

  it('has a vendor owe what it redeemed beyond its Index and has taken away', () => {
    const scene = new Scene();
    const [handed, next] = [scene.index(0, 0, 1, 30), scene.visit(1, 1, 0)];
    scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0));
    scene.spend(scene.vendors[0], 45_000n);
    expect(scene.redeem(scene.claim(1, 1, 30, 60), next, handed)).toBe(15);
    // It earns elsewhere, and that is not enough either.
    scene.broker.fund(scene.vendors[0], 12n);
    expect(scene.redeem(scene.claim(1, 1, 30, 60), next, handed)).toBe(27);
    scene.expire();
    expect(scene.earned).toEqual([-3, 27, 0]);
    expect(scene.charged).toBe(60);
    // What it gets later is that of the vendor which is short.
    scene.broker.fund(scene.vendors[0], 4n);
    expect([scene.earned, scene.fined]).toEqual([[1, 30, 0], 0]);
    scene.broker.expectBacked();
  });

  it('has a vendor owe the next what that is short of, and the buyer what nobody else has handed in', () => {
    const scene = new Scene();
    scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0));
    scene.spend(scene.vendors[0], 50_000n);
    expect(scene.redeem(scene.claim(1, 1, 30, 40), scene.visit(1, 1, 0), scene.index(0, 0, 1, 30))).toBe(0);
    scene.expire();
    expect([scene.earned, scene.charged]).toEqual([[-20, 0, 0], 50]);
    scene.broker.fund(scene.vendors[0], 13n);
    expect([scene.earned, scene.charged]).toEqual([[-7, 10, 0], 47]);
    scene.broker.fund(scene.vendors[0], 10n);
    expect([scene.earned, scene.charged, scene.fined]).toEqual([[3, 10, 0], 40, 0]);
    scene.broker.expectBacked();
  });

  it('finds all who cheated with a chain: the vendor that handed it on twice too', () => {
    for (const order of [0, 1]) {
      const scene = new Scene();
      scene.redeem(scene.claim(0, 0, 0, 30), scene.visit(0, 0));
      const claims = [1, 2].map(
        at => () =>
          scene.redeem(scene.claim(1, at, 30, 60), scene.visit(1, at, 0), scene.index(0, 0, at, 30)),
      );
      expect([claims[order](), claims[1 - order]()]).toEqual([30, 30]);
      expect(scene.convicted().sort()).toEqual([toHex(scene.key(0)), toHex(scene.user.publicKey)].sort());
      expect(scene.earned).toEqual([30, 30, 30]);
    }
  });

  it('pays the vendors of a forked chain beside one that was paid too much and has spent it', () => {
    const scene = new Scene();
    expect(scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0))).toBe(50);
    scene.spend(scene.vendors[0], 50_000n);
    expect(scene.redeem(scene.claim(0, 2, 0, 40), scene.visit(0, 2))).toBe(40);
    const handed = scene.index(0, 0, 1, 30);
    expect(scene.redeem(scene.claim(1, 1, 30, 70), scene.visit(1, 1, 0), handed)).toBe(40);
    expect(new Set(scene.convicted())).toEqual(new Set([toHex(scene.user.publicKey), toHex(scene.key(0))]));
    scene.expire();
    expect(scene.earned.slice(1)).toEqual([40, 40]);
  });

  it('has a user that takes one step of a chain to many vendors pay each of them', () => {
    const scene = new Scene();
    for (const at of [0, 1, 2]) expect(scene.redeem(scene.claim(0, at, 0, 50), scene.visit(0, at))).toBe(50);
    expect(scene.convicted()).toEqual([toHex(scene.user.publicKey)]);
    expect(scene.earned).toEqual([50, 50, 50]);
    expect(scene.charged).toBe(150);
    scene.broker.restart();
    scene.expire();
    expect([scene.earned, scene.charged]).toEqual([[50, 50, 50], 150]);
  });

  it('has a forked chain paid for out of what is left of it, what comes in later, and debts', () => {
    const scene = new Scene();
    scene.spend(scene.buyer, scene.broker.heldMsat(scene.buyer.key.publicKey));
    const redeem = (at: number) => scene.redeem(scene.claim(0, at, 0, 50), scene.visit(0, at));
    expect([0, 1, 2].map(redeem)).toEqual([50, 50, 0]);
    scene.broker.fund(scene.buyer, 20n);
    // Whoever asks next, all are paid.
    expect(redeem(0)).toBe(50);
    expect(scene.earned).toEqual([50, 50, 20]);
    scene.broker.fund(scene.buyer, 10n);
    scene.expire();
    expect(scene.earned).toEqual([50, 50, 30]);
    expect(scene.broker.balanceMsat(scene.buyer)).toBe(-20_000n);
    scene.broker.fund(scene.buyer, 25n);
    expect([scene.earned, scene.fined]).toEqual([[50, 50, 50], 0]);
    expect(scene.broker.balanceMsat(scene.buyer)).toBe(5_000n);
    scene.broker.expectBacked();
  });

  it('has a user that brings a chain from a vendor it was never at pay for both', () => {
    const scene = new Scene();
    expect(scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0))).toBe(50);
    const invented = scene.index(0, 2, 1, 0);
    expect(scene.redeem(scene.claim(1, 1, 0, 40), scene.visit(1, 1, 2), invented)).toBe(40);
    expect(scene.convicted()).toEqual([toHex(scene.user.publicKey)]);
  });

  it('pays a chain once to a vendor that begins its stay elsewhere in its second claim', () => {
    const scene = new Scene();
    const [here, next] = [scene.visit(0, 0), scene.visit(1, 1, 0)];
    expect(scene.redeem(scene.claim(1, 1, 0, 100), next, scene.index(0, 0, 1, 0))).toBe(100);
    expect(scene.redeem(scene.claim(1, 1, 100, 100), next, scene.index(0, 0, 1, 100))).toBe(0);
    expect(scene.convicted()).toEqual([toHex(scene.key(0))]);
    expect(scene.redeem(scene.claim(0, 0, 0, 100), here)).toBe(0);
    expect(scene.paid).toBe(100);
    scene.expire();
    expect(scene.paid).toBe(100);
  });

  it('keeps evidence of a chain, but not without end', () => {
    const scene = new Scene();
    const next = scene.visit(1, 1, 0);
    expect(scene.redeem(scene.claim(1, 1, 50, 100), next, scene.index(0, 0, 1, 50))).toBe(50);
    for (let at = 0; at < 2 * proofsMax; at++)
      scene.redeem(scene.claim(1, 1, at, 100), next, scene.index(0, 0, 1, at));
    expect(scene.convicted()).toEqual(new Array(proofsMax).fill(toHex(scene.key(0))));
  });

  it('pays what one buyer has paid, no more than a chain is worth unless it is forked, whatever vendors claim', () => {
    const vendor = fc.integer({ min: 0, max: 2 });
    const word = fc.oneof(fc.constantFrom(0, 50, 100), fc.integer({ min: 0, max: 100 }));
    const said = fc.record({
      step: fc.integer({ min: 0, max: 3 }),
      vendor,
      from: vendor,
      first: word,
      last: word,
    });
    fc.assert(
      fc.property(fc.array(said, { minLength: 2, maxLength: 14 }), fc.boolean(), (all, restarts) => {
        const scene = new Scene();
        for (const { step, vendor: at, from, first, last } of all) {
          if (step === 0) scene.redeem(scene.claim(0, at, 0, last), scene.visit(0, at));
          else
            scene.redeem(
              scene.claim(step, at, first, last),
              scene.visit(step, at, from),
              scene.index(step - 1, from, at, first),
            );
          expect(scene.charged).toBe(scene.paid);
          if (scene.paid > 100) expect(scene.convicted()).toContain(toHex(scene.user.publicKey));
          if (restarts) scene.broker.restart();
        }
        const before = scene.paid;
        scene.expire();
        expect([scene.paid, scene.fined]).toEqual([scene.charged, 0]);
        // What cheats among vendors still had of others' words may go back to the buyer.
        expect(scene.charged).toBeLessThanOrEqual(before);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses claims that are forged, of others, below their Index, or of words nobody was shown', () => {
    const scene = new Scene();
    const good = scene.claim(0, 0, 0, 50);
    expect(scene.redeem({ ...good, last: 51 }, scene.visit(0, 0))).toBe('badSignature');
    expect(scene.redeem(good, { ...scene.visit(0, 0), nonce: new Uint8Array(16).fill(1) })).toBe(
      'badSignature',
    );
    expect(scene.redeem(good, scene.visit(0, 1))).toBe('badTerms');
    const handed = scene.index(0, 0, 1, 30);
    expect(scene.redeem(scene.claim(1, 1, 20, 60), scene.visit(1, 1, 0), handed)).toBe('badTerms');
    expect(scene.redeem(scene.claim(1, 1, 30, 60), scene.visit(1, 1, 0))).toBe('badTerms');
    const unseen = claim.sign(scene.vendors[0].key, { ...good, last: 60 });
    expect(scene.redeem(unseen, scene.visit(0, 0))).toBe('badSignature');
    expect(scene.convicted()).toEqual([]);
  });
});

describe('proofs of p2p-netpay', () => {
  it('name who signed, through a file too', () => {
    const scene = new Scene();
    const guilty: [ReturnType<typeof forked>, Uint8Array][] = [
      [forked(scene.stone, scene.visit(0, 0), scene.visit(0, 1)), scene.user.publicKey],
      [forked(scene.stone, scene.visit(0, 0), scene.visit(1, 1, 2)), scene.user.publicKey],
      [overclaimed(scene.claim(0, 0, 0, 31), scene.index(0, 0, 1, 30)), scene.key(0)],
      [handedTwice(scene.index(0, 0, 1, 30), scene.index(0, 0, 2, 30)), scene.key(0)],
    ];
    for (const [proof, key] of guilty) {
      const read = parseProof(formatProof(proof));
      expect(read.ok && p2pNetpay.judge(read.value).guilty).toEqual(key);
    }
  });

  it('convict nobody honest, and nobody by changed statements', () => {
    const scene = new Scene();
    const elsewhere = new Uint8Array(16);
    const honest = [
      forked(scene.stone, scene.visit(0, 0), scene.visit(0, 0)),
      forked(scene.stone, scene.visit(0, 0), scene.visit(1, 1, 0)),
      forked(scene.stone, scene.visit(0, 0), scene.visit(2, 1, 2)),
      overclaimed(scene.claim(0, 0, 0, 30), scene.index(0, 0, 1, 30)),
      overclaimed(scene.claim(2, 0, 0, 50), scene.index(0, 0, 1, 30)),
      overclaimed(scene.claim(0, 1, 0, 50), scene.index(0, 0, 1, 30)),
      handedTwice(scene.index(0, 0, 1, 30), scene.index(0, 0, 1, 30)),
      handedTwice(scene.index(0, 0, 1, 30), scene.index(2, 0, 2, 50)),
      // What they said of another chain.
      forked(
        scene.stone,
        scene.visit(0, 0),
        visit.sign(scene.user, { ...scene.visit(0, 1), chain: elsewhere }),
      ),
      overclaimed(
        claim.sign(scene.vendors[0].key, { ...scene.claim(0, 0, 0, 50), chain: elsewhere }),
        scene.index(0, 0, 1, 30),
      ),
      handedTwice(
        scene.index(0, 0, 1, 30),
        index.sign(scene.vendors[0].key, { ...scene.index(0, 0, 2, 50), chain: elsewhere }),
      ),
    ];
    for (const proof of honest) expect(p2pNetpay.judge(proof).guilty).toBeUndefined();
    const real = [
      forked(scene.stone, scene.visit(0, 0), scene.visit(0, 1)),
      overclaimed(scene.claim(0, 0, 0, 31), scene.index(0, 0, 1, 30)),
      handedTwice(scene.index(0, 0, 1, 30), scene.index(0, 0, 2, 30)),
    ];
    for (const proof of real)
      for (const [place, part] of proof.parts.entries()) {
        for (const rest of [part.subarray(0, -1), new Uint8Array(0)])
          expect(p2pNetpay.judge({ ...proof, parts: proof.parts.with(place, rest) }).guilty).toBeUndefined();
        // Of the touchstone its user alone counts, who has signed the rest.
        if (proof.cheat === 'forked' && place === 0) continue;
        for (let at = 0; at < part.length; at += 7) {
          const parts = proof.parts.map(each => each.slice());
          parts[place][at] ^= 1;
          expect(p2pNetpay.judge({ ...proof, parts }).guilty).toBeUndefined();
        }
      }
  });
});
