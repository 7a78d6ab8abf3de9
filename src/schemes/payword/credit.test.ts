import { expect, it } from 'vitest';
import { scriptOfAddress } from '../../bitcoin/wallet.ts';
import type { Paid } from '../../payment/scheme.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { payword } from './index.ts';
import { creditChunkMsat, creditMsat, holdSeconds, marginSeconds } from './terms.ts';

/** A payer on credit, a relay, and a broker that lends. */
class Scene {
  readonly world: CoinWorld;
  readonly payer: Peer;
  readonly relay: Peer;
  readonly #targets = new Map<number, Uint8Array>();

  constructor(seed: string) {
    this.world = new CoinWorld(payword, seed);
    const { broker } = this.world;
    broker.lendsMsat = 2n * creditMsat;
    broker.chain.issue(scriptOfAddress(broker.addressFor(broker.key))!, 10_000_000n);
    broker.mine();
    this.payer = this.world.peer('payer', 'credit');
    this.relay = this.world.peer('relay', 'credit');
  }

  /** A circuit. */
  open(): number {
    const session = this.#targets.size + 1;
    this.#targets.set(
      session,
      this.relay.process.turn(() => this.relay.payee.target(session)),
    );
    const { publicKey: ed25519 } = this.relay.identity;
    this.payer.process.turn(() => this.payer.payer.begin(session, { ed25519 }, creditChunkMsat));
    return session;
  }

  end(session: number): void {
    this.payer.process.turn(() => this.payer.payer.ended(session));
    this.relay.do(() => this.relay.payee.ended(session));
  }

  /** Makes a payment, as far as that goes without waiting. */
  make(session: number, msat: bigint): Paid {
    const target = this.#targets.get(session)!;
    return this.payer.process.turn(() => this.payer.payer.pay(session, target, msat));
  }

  /** What a payment comes to at the relay; undefined where none was made. */
  pay(session: number, msat: bigint): string | undefined {
    let paid: Paid | undefined = this.make(session, msat);
    if (paid.kind === 'pending') {
      this.world.settle();
      paid = this.payer.paidIn(session);
    }
    if (paid?.kind !== 'send') return undefined;
    const taken = this.relay.take(session, paid.payment);
    if (taken.kind === 'added') this.#targets.set(session, taken.reply);
    return taken.kind === 'refused' ? taken.fault.code : taken.kind;
  }
}

it('an honest payer whose circuits outlast a certificate promises no more than the next is good for', () => {
  const scene = new Scene('honest');
  const { broker } = scene.world;
  const idle = Array.from({ length: 60 }, () => scene.open());
  for (const session of idle) expect(scene.pay(session, 1_000n)).toBe('added');
  scene.world.world.runFor((holdSeconds - 2 * marginSeconds + 10) * 1_000);
  const spend = () => {
    const session = scene.open();
    const done = scene.pay(session, creditChunkMsat);
    if (done !== undefined) scene.end(session);
    return done;
  };
  while (spend() === 'added');
  for (const session of idle) scene.end(session);
  while (spend() === 'added');
  scene.world.settle();
  expect(broker.proofs).toEqual([]);
});

it('may promise again what a circuit did not spend', () => {
  const scene = new Scene('again');
  const circuits = Number(creditMsat / creditChunkMsat);
  for (let n = 0; n < 2 * circuits; n++) {
    const session = scene.open();
    expect(scene.pay(session, 1_000n)).toBe('added');
    scene.end(session);
  }
});

it('a circuit whose question for credit found no answer pays under the certificate that another got', () => {
  const scene = new Scene('asked');
  const { broker } = scene.world;
  const [first, second] = [scene.open(), scene.open()];
  scene.world.trouble(broker.at, 'absent');
  expect(scene.pay(first, 1_000n)).toBeUndefined();
  scene.world.settle();
  scene.world.trouble(broker.at, undefined);
  expect(scene.pay(second, 1_000n)).toBe('added');
  expect(scene.pay(first, 1_000n)).toBe('added');
});

it('circuits that ask for all there is leave credit to others, and to themselves for later', () => {
  const scene = new Scene('fast');
  const { broker } = scene.world;
  const sessions = [scene.open(), scene.open(), scene.open()];
  /** As a session does: less where there is not as much. */
  const pay = (session: number) =>
    [95_000_000n, 47_500_000n, 23_750_000n, 11_800_000n].some(msat => scene.pay(session, msat) === 'added');
  for (const session of sessions) expect(pay(session)).toBe(true);
  for (const session of sessions) {
    const before = broker.balanceOf(scene.relay);
    expect(pay(session)).toBe(true);
    scene.end(session);
    expect(broker.balanceOf(scene.relay) - before).toBeGreaterThan(15_000_000n);
  }
  expect(broker.proofs).toEqual([]);
});

it('may promise again what a chain was not spent for when the next takes its place', () => {
  const scene = new Scene('next chain');
  const session = scene.open();
  const payments = Number((creditMsat * 9n) / 10n / 600_000n);
  for (let n = 0; n < payments; n++) expect(scene.pay(session, 600_000n)).toBe('added');
  scene.end(session);
  expect(scene.world.broker.proofs).toEqual([]);
});

it('gets the next certificate where the last has something left, but too little', () => {
  const scene = new Scene('remainder');
  const value = (creditMsat * 2n) / 11n;
  for (let n = 0; n < 16; n++) {
    const session = scene.open();
    expect(scene.pay(session, value)).toBe('added');
    scene.end(session);
  }
  expect(scene.world.broker.proofs).toEqual([]);
  scene.world.broker.expectBacked();
});
