import { assert } from '../../src/base/assert.ts';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { scriptOfAddress } from '../../src/bitcoin/wallet.ts';
import { BrokerCore, filedProofs } from '../../src/broker/broker-core.ts';
import { addressReply, plainBody, tillOperation, tillScheme } from '../../src/broker/money-messages.ts';
import { SigningKey } from '../../src/crypto/ecdsa.ts';
import { makeAccountRequest } from '../../src/payment/account-request.ts';
import type { BrokeredScheme } from '../../src/payment/brokered.ts';
import type { Endpoint } from '../../src/ports.ts';
import { SimChain } from '../../src/sim/sim-chain.ts';
import { type PartyTrouble, SimParties } from '../../src/sim/sim-parties.ts';
import { SimProcess } from '../../src/sim/sim-process.ts';
import { World } from '../../src/sim/world.ts';
import { Peer, type Surroundings } from './peer.ts';

export const brokerName = 'broker';

export interface MarketOptions {
  readonly scheme: BrokeredScheme;
  readonly variant?: string;
  readonly seed: string;
}

/** The longest that somebody waits for what others do, in virtual time. */
const patienceMs = 60_000;
/** The broker's own account, out of which it grants credit. */
const houseSat = 10_000_000n;
/** Peers begin to assist with the epoch after the one in which they offered to: three of a minute, to be sure. */
const settlingInMs = 180_000;
/** Accounts that are filled by the coinbase of one block. */
const paidPerBlock = 100;

/**
 * A broker and peers that pay each other by one scheme, in virtual time: the product's own sides of it, a broker whose money
 * is on a simulated chain, and no circuits in between. What takes money or proves a breach is real; only time and wires are not.
 */
export class Market implements Surroundings {
  readonly scheme: BrokeredScheme;
  readonly variant: string | undefined;
  readonly world: World;
  readonly chain = new SimChain();
  readonly parties = new SimParties();
  readonly broker: { readonly at: Endpoint; readonly key: SigningKey; readonly core: BrokerCore };
  readonly #brokerProcess: SimProcess;
  readonly #peers = new Map<string, Peer>();
  readonly #troubles = new Map<string, PartyTrouble>();

  constructor({ scheme, variant, seed }: MarketOptions) {
    this.scheme = scheme;
    this.variant = variant;
    this.world = new World({ seed });
    const at = { host: '10.255.255.1', port: 80 };
    const key = new SigningKey(new Uint8Array(32).fill(11));
    const walletSeed = new Uint8Array(32).fill(12);
    const process = SimProcess.start(this.world, brokerName, this.chain, this.parties, at);
    const core = process.turn(
      () =>
        new BrokerCore(
          { key, walletSeed, minConfirmations: 1 },
          { ...process.host, parties: process.parties },
          [scheme],
        ),
    );
    process.attach({
      onAnswer: answer => core.onAnswer(answer),
      onChain: event => core.onChain(event),
      onRequest: (request, id, bytes) => core.onRequest(request, id, bytes),
    });
    process.turn(() => core.start());
    this.#brokerProcess = process;
    this.broker = { at, key, core };
    this.parties.trouble = ({ host }) => this.#troubles.get(host);
    this.runFor(100);
  }

  /** Peers of these names, each with an account of so much. */
  open(names: readonly string[], sat: bigint): Peer[] {
    const opened = names.map(name => {
      const peer = new Peer(this, name, this.#peers.size + 1);
      this.#peers.set(name, peer);
      return peer;
    });
    if (this.#peers.size === opened.length) this.#fund(opened[0], this.broker.key, houseSat);
    for (const [at, peer] of opened.entries()) {
      if (sat > 0n) this.#fund(peer, peer.account, sat);
      if (at % paidPerBlock === 0) this.chain.mine();
    }
    this.chain.mine();
    this.runFor(settlingInMs);
    return opened;
  }

  /** Another life of a peer, with its keys and all its records as they are now: both go on. */
  twinOf(peer: Peer): Peer {
    const twin = new Peer(this, `twin of ${peer.name}`, peer.number, peer.process.store.durable());
    this.#peers.set(twin.name, twin);
    return twin;
  }

  peer(name: string): Peer {
    const peer = this.#peers.get(name);
    assert(peer !== undefined, 'a peer of this market');
    return peer;
  }

  get peers(): readonly Peer[] {
    return [...this.#peers.values()];
  }

  /** Those who are asked for what they manage, and do not answer. */
  setAway(peer: Peer, away: boolean): void {
    if (away) this.#troubles.set(peer.at.host, 'absent');
    else this.#troubles.delete(peer.at.host);
  }

  /** Proofs of breaches that the broker has on file. */
  get proofs(): number {
    return this.#brokerProcess.turn(() => filedProofs(this.#brokerProcess.store).length);
  }

  get nowMs(): number {
    return this.world.nowUs / 1_000;
  }

  runFor(virtualMs: number): void {
    this.world.runFor(virtualMs);
  }

  /** Lets time pass until `done`, as long as anybody would wait; without it, for a second. */
  settle(done?: () => boolean): void {
    if (done === undefined) this.runFor(1_000);
    else this.world.runUntil(done, { virtualMs: patienceMs });
  }

  /** Bitcoins are paid into an account, whose address `peer` asks for. */
  #fund(peer: Peer, account: SigningKey, sat: bigint): void {
    const body = plainBody.encode({ operation: tillOperation.address });
    const reply = peer.ask(this.broker.at, tillScheme, entropy => makeAccountRequest(account, entropy, body));
    const address = fromUtf8(addressReply.decode(reply)?.address ?? new Uint8Array(0));
    const script = scriptOfAddress(address);
    assert(script !== undefined, 'the broker gives an address to an account');
    this.chain.issue(script, sat);
  }
}
