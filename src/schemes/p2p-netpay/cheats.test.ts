import { describe, expect, it } from 'vitest';
import { fromUtf8, toHex } from '../../base/bytes.ts';
import { filedProofs } from '../../broker/broker-core.ts';
import { AccountHolder } from '../../broker/broker-lab.fixture.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { unseal } from '../../crypto/sealed-to-key.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { formatProof, parseProof } from '../../payment/proof.ts';
import { BrokeredLab } from '../brokered-world.fixture.ts';
import { p2pNetpay } from './index.ts';
import {
  boughtReply,
  brokerOperation,
  buyBody,
  claim,
  claimBody,
  claimedReply,
  index,
  schemeId,
  visit,
} from './messages.ts';
import { forked, handedTwice, overclaimed } from './proofs.ts';
import { nobody } from './terms.ts';

const unitMsat = 1_000n;

/** A chain that was bought, vendors with accounts, and what each of them would sign. */
class Scene {
  readonly lab = new BrokeredLab({ scheme: p2pNetpay });
  readonly buyer = new AccountHolder(this.lab.broker, 'buyer', new SigningKey(new Uint8Array(32).fill(50)));
  readonly vendors = ['first', 'second', 'third'].map(
    (name, at) => new AccountHolder(this.lab.broker, name, new SigningKey(new Uint8Array(32).fill(60 + at))),
  );
  readonly user = new SigningKey(new Uint8Array(32).fill(51));
  readonly stone;
  readonly words: HashChain;

  constructor() {
    this.lab.pay(this.buyer.key, 100_000n);
    const body = buyBody.encode({
      operation: brokerOperation.buy,
      user: this.user.publicKey,
      count: 100,
      unitMsat,
    });
    const { broker } = this.lab;
    const { reply } = broker.ask(this.buyer, schemeId, broker.request(this.buyer, body));
    const bought = boughtReply.decode(reply ?? new Uint8Array(0));
    if (bought === undefined) throw new Error('no chain was sold');
    this.stone = bought.touchstone;
    const seed = unseal(this.user, bought.seed);
    this.words = new HashChain(this.stone.chain, seed ?? new Uint8Array(32), 100);
    expect(this.words.root).toEqual(this.stone.root);
  }

  key(vendor: number): Uint8Array {
    return this.vendors[vendor].key.publicKey;
  }

  visit(step: number, vendor: number, from?: number) {
    return visit.sign(this.user, {
      chain: this.stone.chain,
      step,
      vendor: this.key(vendor),
      from: from === undefined ? nobody : this.key(from),
      nonce: new Uint8Array(16),
    });
  }

  index(step: number, from: number, to: number, at: number) {
    const said = { chain: this.stone.chain, step, from: this.key(from), to: this.key(to), index: at };
    return index.sign(this.vendors[from].key, { ...said, word: this.words.word(at) });
  }

  claim(step: number, vendor: number, first: number, last: number) {
    const said = { chain: this.stone.chain, step, vendor: this.key(vendor), first, last };
    return claim.sign(this.vendors[vendor].key, { ...said, word: this.words.word(last) });
  }

  /** Hands a claim in; ends with what was credited in words, or the word of the refusal. */
  redeem(
    said: ReturnType<Scene['claim']>,
    here: ReturnType<Scene['visit']>,
    from?: ReturnType<Scene['index']>,
  ): number | string {
    const { broker } = this.lab;
    const vendor = this.vendors.find(({ key }) => toHex(key.publicKey) === toHex(said.vendor));
    if (vendor === undefined) throw new Error('a claim of nobody');
    const body = claimBody.encode({
      operation: brokerOperation.claim,
      claim: said,
      visit: here,
      from: from === undefined ? new Uint8Array(0) : index.encode(from),
    });
    const { reply, fault } = broker.ask(vendor, schemeId, broker.request(vendor, body));
    broker.expectBacked();
    const credited = reply === undefined ? undefined : claimedReply.decode(reply)?.creditedMsat;
    return credited === undefined ? (fault ?? '') : Number(credited / unitMsat);
  }

  /** Whom the broker's evidence convicts. */
  convicted(): string[] {
    const { process } = this.lab.broker;
    return process
      .turn(() => filedProofs(process.store))
      .map(([, text]) => {
        const proof = parseProof(fromUtf8(text));
        const verdict = proof.ok ? p2pNetpay.judge(proof.value) : undefined;
        return verdict?.guilty === undefined ? 'nobody' : toHex(verdict.guilty);
      });
  }
}

describe('the broker of p2p-netpay', () => {
  it('pays vendors of one chain for their own words, in whatever order they come, each once', () => {
    const scene = new Scene();
    const handed = scene.index(0, 0, 1, 30);
    expect(scene.redeem(scene.claim(1, 1, 30, 70), scene.visit(1, 1, 0), handed)).toBe(40);
    expect(scene.redeem(scene.claim(0, 0, 0, 20), scene.visit(0, 0))).toBe(20);
    expect(scene.redeem(scene.claim(0, 0, 0, 30), scene.visit(0, 0))).toBe(30);
    expect(scene.redeem(scene.claim(0, 0, 0, 30), scene.visit(0, 0))).toBe(30);
    expect(scene.lab.broker.balanceMsat(scene.vendors[0])).toBe(30_000n);
    expect(scene.lab.broker.balanceMsat(scene.vendors[1])).toBe(40_000n);
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
      const sum = scene.vendors.reduce((all, each) => all + scene.lab.broker.balanceMsat(each), 0n);
      expect(sum).toBe(60_000n);
    }
  });

  it('finds a user that takes one step of a chain to two vendors', () => {
    const scene = new Scene();
    expect(scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0))).toBe(50);
    expect(scene.redeem(scene.claim(0, 1, 0, 40), scene.visit(0, 1))).toBe(0);
    expect(scene.convicted()).toEqual([toHex(scene.user.publicKey)]);
  });

  it('finds a user that brings a chain from a vendor it was never at', () => {
    const scene = new Scene();
    expect(scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0))).toBe(50);
    const invented = scene.index(0, 2, 1, 0);
    expect(scene.redeem(scene.claim(1, 1, 0, 40), scene.visit(1, 1, 2), invented)).toBe(0);
    expect(scene.convicted()).toEqual([toHex(scene.user.publicKey)]);
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
    const honest = [
      forked(scene.stone, scene.visit(0, 0), scene.visit(0, 0)),
      forked(scene.stone, scene.visit(0, 0), scene.visit(1, 1, 0)),
      forked(scene.stone, scene.visit(0, 0), scene.visit(2, 1, 2)),
      overclaimed(scene.claim(0, 0, 0, 30), scene.index(0, 0, 1, 30)),
      overclaimed(scene.claim(2, 0, 0, 50), scene.index(0, 0, 1, 30)),
      overclaimed(scene.claim(0, 1, 0, 50), scene.index(0, 0, 1, 30)),
      handedTwice(scene.index(0, 0, 1, 30), scene.index(0, 0, 1, 30)),
      handedTwice(scene.index(0, 0, 1, 30), scene.index(2, 0, 2, 50)),
    ];
    for (const proof of honest) expect(p2pNetpay.judge(proof).guilty).toBeUndefined();
    const real = overclaimed(scene.claim(0, 0, 0, 31), scene.index(0, 0, 1, 30));
    for (const [place, part] of real.parts.entries())
      for (let at = 0; at < part.length; at += 7) {
        const parts = real.parts.map(each => each.slice());
        parts[place][at] ^= 1;
        expect(p2pNetpay.judge({ ...real, parts }).guilty).toBeUndefined();
      }
  });
});
