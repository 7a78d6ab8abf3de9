import { afterEach, describe, expect, it } from 'vitest';
import { toHex } from '../src/base/bytes.ts';
import { scriptOfAddress } from '../src/bitcoin/wallet.ts';
import type { BrokerDisk } from '../src/broker/broker-lab.fixture.ts';
import type { BrokeredNode, BrokeredScheme } from '../src/payment/brokered.ts';
import type { Paid } from '../src/payment/scheme.ts';
import { brokeredSchemes } from '../src/schemes/brokered.ts';
import { CoinWorld, type Peer } from '../src/schemes/coin-peers.fixture.ts';
import { claimSeconds } from '../src/schemes/cpay/broker-claims.ts';
import { assistantOf, heldBy } from '../src/schemes/cpay/cpay-peers.fixture.ts';
import { cpay } from '../src/schemes/cpay/index.ts';
import { epochMs } from '../src/schemes/cpay/messages.ts';
import { frauds } from '../src/schemes/frauds.fixture.ts';
import { p2pNetpay } from '../src/schemes/p2p-netpay/index.ts';
import { payword } from '../src/schemes/payword/index.ts';
import { whopay } from '../src/schemes/whopay/index.ts';

const value = 1_024n;
/** What the broker lends, out of money of its own. */
const lentSat = 1_000_000n;
/** What one session is paid in words of a chain. */
const chainMsat = 10_000n;
const start = 10n ** 9n;
const dayMs = 86_400_000;
/** All that was bought has expired then, and nobody may claim it any more. */
const lifeMs = 90 * dayMs + claimSeconds * 1_000 + 2 * dayMs;
/** A binding of WhoPay is renewed before. */
const renewalMs = 25 * dayMs;

/** A disk for a broker that has no records yet. */
export interface FreshDisk {
  readonly disk: BrokerDisk | undefined;
  /** What others may do with the records from now on; the broker writes no more. */
  close(): void;
}

/** What a broker does of each scheme on its store, whatever the store is made of. It starts again after each step. */
export function brokerStoreKit(name: string, make: () => Promise<FreshDisk>): void {
  describe(`a broker on ${name}`, () => {
    let made: FreshDisk | undefined;
    const fresh = async () => {
      made = await make();
      return made.disk;
    };
    afterEach(() => made?.close());

    const variants = brokeredSchemes.flatMap(scheme =>
      // Those of CPay are alike to a broker.
      (scheme === cpay || scheme.variants.length === 0 ? [undefined] : scheme.variants).map(variant => ({
        scheme,
        variant,
        title: variant === undefined ? scheme.name : `${scheme.name}, ${variant}`,
      })),
    );
    it.each(variants)(
      'sells $title, redeems it and gives back the rest',
      { timeout: 60_000 },
      async ({ scheme, variant }) => {
        const life = new Life(scheme, variant, await fresh());
        if (scheme === payword) life.payword();
        else if (scheme === p2pNetpay) life.netpay();
        else if (scheme === cpay) life.cpay();
        else life.coins();
      },
    );

    it.each(frauds)(
      'files who is guilty by $scheme.name: $cheat',
      { timeout: 60_000 },
      async ({ scheme, cheat, commit }) => {
        const { broker, guilty, role } = commit(await fresh());
        broker.restart();
        expect(broker.proofs.map(proof => [proof.scheme, proof.cheat])).toEqual([[scheme.name, cheat]]);
        const verdict = scheme.judge(broker.proofs[0]);
        expect(verdict).toMatchObject({ role });
        expect(toHex(verdict.guilty ?? new Uint8Array(0))).toBe(toHex(guilty));
        broker.expectBacked();
      },
    );
  });
}

const deskOf = (peer: Peer) => (peer.scheme as BrokeredNode).desk;

/** Peers of one scheme and their broker, from what they buy to what they have in the end. */
class Life {
  readonly #coins: CoinWorld;
  readonly #peers: readonly Peer[];

  constructor(scheme: BrokeredScheme, variant: string | undefined, disk: BrokerDisk | undefined) {
    this.#coins = new CoinWorld(scheme, `life of ${scheme.name} ${variant}`, disk);
    const { broker } = this.#coins;
    broker.chain.issue(scriptOfAddress(broker.addressFor(broker.key)) as Uint8Array, lentSat);
    broker.lendsMsat = lentSat * 1_000n;
    broker.mine();
    const names = ['payer', 'first', 'second', 'third', 'fourth'];
    this.#peers = names.map(name => this.#coins.peer(name, variant));
    this.#coins.world.runFor(epochMs);
    this.#restart();
  }

  /** Coins that their owners pass on, or the broker while these are away. */
  coins(): void {
    const coins = this.#coins;
    const [owner, relay, other, third] = this.#peers;
    expect(owner.pay(relay, value)).toBe(value);
    this.#restart();
    coins.trouble(owner.at, 'absent');
    const seen = coins.watch();
    expect(relay.pay(other, value)).toBe(value);
    expect(seen.some(pair => pair.endsWith('> broker'))).toBe(true);
    this.#restart();
    seen.length = 0;
    this.#pass(renewalMs);
    if (coins.scheme === whopay) expect(seen).toContain(`${other.name} > broker`);
    this.#restart();
    coins.trouble(owner.at, undefined);
    owner.restart();
    expect(other.pay(third, value)).toBe(value);
    this.#restart();
    third.do(() => deskOf(third).deposit());
    expect(owner.pay(relay, value)).toBe(value);
    this.#ends({ [owner.name]: -2n * value, [relay.name]: value, [third.name]: value });
  }

  /** Coins whose holders' assistants pass them on; those of one that dies are claimed of the broker. */
  cpay(): void {
    const coins = this.#coins;
    const [payer, relay, other] = this.#peers;
    expect(payer.pay(relay, value)).toBe(value);
    this.#restart();
    expect(relay.pay(other, value)).toBe(value);
    other.do(() => deskOf(other).deposit());
    expect(coins.broker.balanceOf(other)).toBe(start + value);
    this.#restart();
    expect(payer.pay(relay, value)).toBe(value);
    const [held] = heldBy(relay);
    const dead = assistantOf(coins, this.#peers, held, relay);
    dead.die();
    relay.do(() => deskOf(relay).deposit());
    this.#restart();
    // It has coins of its own, which it claims in time.
    if (dead === payer) this.#pass(lifeMs - 2 * claimSeconds * 1_000);
    if (dead === payer) dead.restart();
    this.#ends({ [payer.name]: -2n * value, [relay.name]: value, [other.name]: value });
  }

  /** Chains that one vendor is paid with, settled while and after the broker is away, and renewed when they expire. */
  payword(): void {
    const [payer, relay] = this.#peers;
    expect(this.#session(payer, relay)).toBe(chainMsat);
    this.#restart();
    expect(this.#session(payer, relay, 'absent')).toBe(chainMsat);
    this.#restart();
    this.#pass(dayMs);
    expect(this.#session(payer, relay)).toBe(chainMsat);
    this.#ends({ [payer.name]: -3n * chainMsat, [relay.name]: 3n * chainMsat });
  }

  /** A chain that goes from vendor to vendor, and another where the one before is away. */
  netpay(): void {
    const [payer, relay, other, third] = this.#peers;
    expect(this.#session(payer, relay)).toBe(chainMsat);
    this.#restart();
    const seen = this.#coins.watch();
    expect(this.#session(payer, other, 'absent')).toBe(chainMsat);
    expect(seen).toContain(`${other.name} > ${relay.name}`);
    this.#restart();
    this.#coins.trouble(other.at, 'absent');
    expect(this.#session(payer, third)).toBe('partyUnavailable');
    expect(this.#session(payer, third)).toBe(chainMsat);
    this.#coins.trouble(other.at, undefined);
    this.#restart();
    this.#pass(dayMs);
    expect(this.#session(payer, relay)).toBe(chainMsat);
    this.#ends({
      [payer.name]: -4n * chainMsat,
      [relay.name]: 2n * chainMsat,
      [other.name]: chainMsat,
      [third.name]: chainMsat,
    });
  }

  /** One session, which ends while the broker is there, or is not: what it comes to, or why nothing. */
  #session(payer: Peer, payee: Peer, broker?: 'absent'): bigint | string {
    const coins = this.#coins;
    const { session, paid } = payer.makePayment(payee, chainMsat, 10n * chainMsat);
    const end = this.#take(payer, payee, session, paid);
    coins.trouble(coins.broker.at, broker);
    payer.do(() => payer.payer.ended(session));
    payee.do(() => payee.payee.ended(session));
    coins.trouble(coins.broker.at, undefined);
    return end;
  }

  /** Goes through what is set up first. */
  #take(payer: Peer, payee: Peer, session: number, paid: Paid): bigint | string {
    if (paid.kind !== 'send') return paid.kind;
    const redeemed = payee.take(session, paid.payment);
    if (redeemed.kind === 'refused') payer.do(() => payer.payer.onRefused(session, redeemed.fault));
    if (redeemed.kind !== 'added') return redeemed.kind === 'refused' ? redeemed.fault.code : redeemed.kind;
    expect(redeemed.value).toBe(paid.value);
    if (redeemed.value > 0n) return redeemed.value;
    return this.#take(payer, payee, session, payer.payOn(session, redeemed.reply, chainMsat));
  }

  #restart(): void {
    this.#coins.broker.restart();
    this.#coins.settle();
  }

  #pass(ms: number): void {
    this.#coins.world.runFor(ms);
    this.#coins.broker.tick();
    this.#coins.settle();
  }

  /** All expires. Every account has what it was paid, less what it has paid; nobody is accused. */
  #ends(gains: Readonly<Record<string, bigint>>): void {
    const { broker } = this.#coins;
    for (let half = 0; half < 2; half++) {
      this.#pass(lifeMs / 2);
      this.#restart();
    }
    const told = this.#peers.map(peer => [peer.name, broker.balanceOf(peer) - start]);
    expect(Object.fromEntries(told)).toEqual({
      ...Object.fromEntries(this.#peers.map(({ name }) => [name, 0n])),
      ...gains,
    });
    expect(broker.outstandingMsat).toBe(0n);
    expect(broker.proofs).toEqual([]);
  }
}
