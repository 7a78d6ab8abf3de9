import { expect } from 'vitest';
import { Ed25519Key } from '../../crypto/ed25519.ts';
import { noParties } from '../../node-io/no-parties.ts';
import type { Payee, Payer } from '../../payment/scheme.ts';
import type { AnswerHandler } from '../../ports.ts';
import { SimChain } from '../../sim/sim-chain.ts';
import { SimChainPort } from '../../sim/sim-chain-port.ts';
import { SimNode } from '../../sim/sim-node.ts';
import { SimStore } from '../../sim/sim-store.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';
import { World } from '../../sim/world.ts';
import { type BitcoinChannelScheme, bitcoinChannel } from './index.ts';
import type { BitcoinChannelOptions } from './options.ts';
import { Conversation, type TestHost, TestSide } from './test-world.ts';

/** A scheme's host in virtual time. */
export class SimHostWorld implements TestHost {
  readonly node: SimNode;
  readonly store: SimStore;
  readonly port: SimChainPort;
  readonly host;
  readonly #chain: SimChain;

  constructor(node: SimNode, store: SimStore, chain: SimChain) {
    this.node = node;
    this.store = store;
    this.#chain = chain;
    this.port = new SimChainPort(node, chain);
    let asks = 0;
    this.host = {
      clock: new VirtualClock(node),
      entropy: node.entropy,
      chain: this.port,
      store,
      parties: noParties,
      observer: node.observer,
      newAsk: () => ++asks,
    };
  }

  attach(handler: AnswerHandler): void {
    this.store.attach(handler);
    this.turn(() => this.port.attach(handler));
  }

  turn<T>(run: () => T): T {
    return this.node.turn(run);
  }

  async until(done: () => boolean): Promise<boolean> {
    return this.node.world.runUntil(done) === 'done';
  }

  restart(): SimHostWorld {
    this.node.die();
    this.store.crash();
    this.port.forget();
    return new SimHostWorld(this.node, this.store, this.#chain);
  }
}

const identity = new Ed25519Key(new Uint8Array(32).fill(7));
export const signer = { ed25519: identity.publicKey, sign: (message: Uint8Array) => identity.sign(message) };
export const gib = 100_000_000n;

/** A payer with coins, a payee, and the chain between them. */
export class Lab {
  readonly world = new World({ seed: 'bitcoin-channel' });
  readonly chain = new SimChain();
  readonly options: BitcoinChannelOptions;
  payerScheme!: BitcoinChannelScheme;
  payeeScheme!: BitcoinChannelScheme;
  payer!: TestSide<Payer>;
  payee!: TestSide<Payee>;
  #sessions = 0;

  constructor(options: Partial<BitcoinChannelOptions> = {}) {
    this.options = { network: 'regtest', ...options };
    this.startPayer(this.#host('payer'));
    this.startPayee(this.#host('payee'));
    for (let coin = 0; coin < 3; coin++) {
      this.world.runUntilIdle();
      this.issue('payer', gib);
      this.chain.mine();
    }
    this.world.runUntilIdle();
  }

  #host(name: string): SimHostWorld {
    const node = new SimNode(this.world, name);
    return new SimHostWorld(node, new SimStore(node), this.chain);
  }

  startPayer(host: TestHost): void {
    this.payerScheme = bitcoinChannel(this.options);
    this.payer = new TestSide(host, made => this.payerScheme.payer(made));
  }

  startPayee(host: TestHost, options = this.options): void {
    this.payeeScheme = bitcoinChannel(options);
    this.payee = new TestSide(host, made => this.payeeScheme.payee(made, signer));
  }

  /** A coin at the address that the owner of that wallet is shown now. */
  issue(side: 'payer' | 'payee', sat: bigint): void {
    const { desk } = side === 'payer' ? this.payerScheme : this.payeeScheme;
    this.chain.issue(
      this[side].world.turn(() => desk.wallet(side)!.address.script),
      sat,
    );
  }

  mine(blocks = 1): void {
    this.world.runUntilIdle();
    for (let i = 0; i < blocks; i++) {
      this.chain.mine();
      this.world.runUntilIdle();
    }
  }

  talk(budget = 10_000_000n): Conversation {
    return new Conversation(this.payer, this.payee, signer, ++this.#sessions, budget);
  }

  /** Through the set-up and the first payment. */
  async open(value = 1_000_000n, talk = this.talk()): Promise<Conversation> {
    expect(await talk.pay(value)).toEqual({ kind: 'waiting' });
    this.mine();
    expect(await talk.pay(value)).toMatchObject({ kind: 'credited', value });
    return talk;
  }

  rows(side: 'payer' | 'payee') {
    const { desk } = side === 'payer' ? this.payerScheme : this.payeeScheme;
    return this[side].world.turn(() => desk.channels());
  }

  row(side: 'payer' | 'payee', index = 0) {
    return this.rows(side)[index];
  }
}
