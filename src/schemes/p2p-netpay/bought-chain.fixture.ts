import { expect } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { AccountHolder, type BrokerDisk, BrokerLab } from '../../broker/broker-lab.fixture.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { unseal } from '../../crypto/sealed-to-key.ts';
import { HashChain } from '../../payment/hash-chain.ts';
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
import { holdSeconds, nobody } from './terms.ts';

const unitMsat = 1_000n;

/** A chain that was bought, vendors with accounts, and what each of them would sign. */
export class Scene {
  readonly broker: BrokerLab;
  readonly buyer: AccountHolder;
  readonly vendors: readonly AccountHolder[];
  readonly user = new SigningKey(new Uint8Array(32).fill(51));
  readonly stone;
  readonly words: HashChain;

  constructor(disk?: BrokerDisk) {
    this.broker = new BrokerLab('netpay', [p2pNetpay], 1, false, disk);
    this.buyer = new AccountHolder(this.broker, 'buyer', new SigningKey(new Uint8Array(32).fill(50)));
    this.vendors = ['first', 'second', 'third'].map(
      (name, at) => new AccountHolder(this.broker, name, new SigningKey(new Uint8Array(32).fill(60 + at))),
    );
    this.broker.fund(this.buyer, 100_000n);
    const body = buyBody.encode({
      operation: brokerOperation.buy,
      user: this.user.publicKey,
      count: 100,
      unitMsat,
    });
    const { broker } = this;
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
    const { broker } = this;
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
    return this.broker.proofs.map(proof => {
      const verdict = p2pNetpay.judge(proof);
      return verdict.guilty === undefined ? 'nobody' : toHex(verdict.guilty);
    });
  }

  /** What its vendors have been paid, in words. */
  get paid(): number {
    const sum = this.vendors.reduce((all, { key }) => all + this.broker.heldMsat(key.publicKey), 0n);
    return Number(sum / unitMsat);
  }

  /** The chain expires, and the broker gives back what is left. */
  expire(): void {
    const { broker } = this;
    broker.world.runFor((holdSeconds + 10) * 1_000);
    broker.process.turn(() => broker.core.tick());
    broker.run(1_000);
    broker.expectBacked();
  }
}
