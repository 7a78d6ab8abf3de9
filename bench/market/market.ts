import { assert } from '../../src/base/assert.ts';
import { fromUtf8, toHex } from '../../src/base/bytes.ts';
import { BrokerCore, filedProofs } from '../../src/broker/broker-core.ts';
import { SigningKey } from '../../src/crypto/ecdsa.ts';
import type { BrokeredScheme } from '../../src/payment/brokered.ts';
import { parseProof } from '../../src/payment/proof.ts';
import { SimChain } from '../../src/sim/sim-chain.ts';
import { type PartyTrouble, SimParties } from '../../src/sim/sim-parties.ts';
import { SimProcess } from '../../src/sim/sim-process.ts';
import { World } from '../../src/sim/world.ts';
import { type TransactionsSince, transactionsSince } from './chain.ts';
import { Peer, type Surroundings } from './peer.ts';
import { accountAddress } from './purse.ts';

export const brokerName = 'broker';

export interface MarketOptions {
  /** Absent: Bitcoin channels. */
  readonly scheme?: BrokeredScheme;
  readonly variant?: string;
  readonly seed: string;
}

/** The longest that somebody waits for what others do, in virtual time; and for blocks. */
const patienceMs = 60_000;
const blockPatienceMs = 300_000;
/** A block comes so often where payments wait for blocks. */
const blockMs = 10_000;
/** What a wallet has to pay from, each at an address of its own. */
const walletCoins = 12n;
/** The broker's own account, out of which it grants credit: for each peer what two certificates stand for. */
const houseSatEach = 200_000n;
/** Peers begin to assist with the epoch after the one in which they offered to: three of a minute, to be sure. */
const settlingInMs = 180_000;
/** Accounts that are filled by the coinbase of one block. */
const paidPerBlock = 100;

/**
 * A broker and peers that pay each other by one scheme, in virtual time: the product's own sides of it, a broker whose money
 * is on a simulated chain, and no circuits in between. What takes money or proves a breach is real; only time and wires are not.
 */
export class Market implements Surroundings {
  readonly world: World;
  readonly chain = new SimChain();
  readonly parties = new SimParties();
  readonly brokered: Surroundings['brokered'];
  readonly #brokerProcess: SimProcess | undefined;
  readonly #peers = new Map<string, Peer>();
  readonly #troubles = new Map<string, PartyTrouble>();
  /** Nothing is mined meanwhile. */
  blocksHeld = false;

  constructor({ scheme, variant, seed }: MarketOptions) {
    this.world = new World({ seed });
    if (scheme === undefined) {
      this.#mineOnAndOn();
    } else {
      const at = { host: '10.255.255.1', port: 80 };
      const key = new SigningKey(new Uint8Array(32).fill(11));
      this.brokered = { scheme, variant, at, key };
      this.#brokerProcess = this.#startBroker(this.brokered);
    }
    this.parties.trouble = ({ host }) => this.#troubles.get(host);
    this.runFor(100);
  }

  #startBroker({ scheme, at, key }: NonNullable<Surroundings['brokered']>): SimProcess {
    const walletSeed = new Uint8Array(32).fill(12);
    const process = SimProcess.start(this.world, brokerName, this.chain, this.parties, at);
    const { host, parties } = process;
    const lendsMsat = () => houseSatEach * 1_000n;
    const settings = { key, walletSeed, minConfirmations: 1, lendsMsat };
    const core = process.turn(() => new BrokerCore(settings, { ...host, parties }, [scheme]));
    process.attach(core);
    process.turn(() => core.start());
    return process;
  }

  #mineOnAndOn(): void {
    this.world.after(blockMs * 1_000, () => {
      if (!this.blocksHeld) this.chain.mine();
      this.#mineOnAndOn();
    });
  }

  /** Peers of these names, each with so much money. */
  open(names: readonly string[], sat: bigint): Peer[] {
    const opened = names.map(name => {
      const peer = new Peer(this, name, this.#peers.size + 1);
      this.#peers.set(name, peer);
      return peer;
    });
    const { brokered } = this;
    if (brokered === undefined) {
      for (let coin = 0n; sat > 0n && coin < walletCoins; coin++) this.#pay(opened, sat / walletCoins);
      return opened;
    }
    const [peer] = opened;
    const house = accountAddress(brokered.key, brokered.at, (...asked) => peer.ask(...asked));
    this.chain.issue(house, BigInt(opened.length) * houseSatEach);
    this.#pay(sat > 0n ? opened : [], sat);
    this.runFor(settlingInMs);
    return opened;
  }

  /** New bitcoins for each of them, in blocks of their own. */
  #pay(peers: readonly Peer[], sat: bigint): void {
    for (const [at, peer] of peers.entries()) {
      this.chain.issue(peer.address(), sat);
      if (at % paidPerBlock === 0) this.chain.mine();
    }
    this.chain.mine();
    this.runFor(blockMs);
  }

  /** Another life of a peer, with its keys and all its records, as they are now or were then: both go on. */
  twinOf(peer: Peer, records = peer.process.store.durable()): Peer {
    const twin = new Peer(this, `twin of ${peer.name}`, peer.number, records);
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

  /** Has `filed` called when the broker has a proof of a breach on its disk. */
  whenProved(filed: () => void): void {
    const store = this.#brokerProcess?.store;
    if (store === undefined) return;
    store.tap = () => {
      if (filedProofs(store).length > 0) filed();
    };
  }

  /** Public keys, in hex, of those whom the broker's proofs convict. */
  get convicts(): ReadonlySet<string> {
    const [process, { scheme } = {}] = [this.#brokerProcess, this.brokered];
    const guilty = new Set<string>();
    if (process === undefined || scheme === undefined) return guilty;
    for (const [, text] of process.turn(() => filedProofs(process.store))) {
      const proof = parseProof(fromUtf8(text));
      const verdict = proof.ok ? scheme.judge(proof.value) : undefined;
      if (verdict?.guilty !== undefined) guilty.add(toHex(verdict.guilty));
    }
    return guilty;
  }

  /** Transactions in blocks above `height`. */
  onChainSince(height: number): TransactionsSince {
    return transactionsSince(this.chain, height);
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
    else this.world.runUntil(done, { virtualMs: this.brokered ? patienceMs : blockPatienceMs });
  }
}
