import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Bitcoind } from '../regtest/bitcoind.ts';
import type { Funds } from '../regtest/funds.ts';
import { contractFacts } from '../scripts/contract-facts.ts';
import { Ed25519Key } from '../src/crypto/ed25519.ts';
import type { Payee, Payer } from '../src/payment/scheme.ts';
import {
  type BitcoinChannelScheme,
  bitcoinChannel,
  contractName,
  readLedger,
} from '../src/schemes/bitcoin-channel/index.ts';
import type { BitcoinChannelOptions } from '../src/schemes/bitcoin-channel/options.ts';
import { Conversation, TestSide } from '../src/schemes/bitcoin-channel/test-world.ts';
import { BitcoindHost } from './bitcoind-host.fixture.ts';

const identity = new Ed25519Key(new Uint8Array(32).fill(9));
const signer = { ed25519: identity.publicKey, sign: (message: Uint8Array) => identity.sign(message) };

/** A payer and a payee of bitcoin-channel in this process, on a real bitcoind, without a network between them. */
export class ChannelLab {
  readonly options: BitcoinChannelOptions;
  payerHost: BitcoindHost;
  payeeHost: BitcoindHost;
  payerScheme!: BitcoinChannelScheme;
  payeeScheme!: BitcoinChannelScheme;
  payer!: TestSide<Payer>;
  payee!: TestSide<Payee>;
  readonly #bitcoind: Bitcoind;
  readonly #funds: Funds;
  #sessions = 0;

  constructor(bitcoind: Bitcoind, funds: Funds, options: Partial<BitcoinChannelOptions>) {
    this.#bitcoind = bitcoind;
    this.#funds = funds;
    this.payerHost = new BitcoindHost(bitcoind);
    this.payeeHost = new BitcoindHost(bitcoind);
    this.options = { network: 'regtest', rules: { refundBlocks: 40 }, ...options };
    this.startPayer();
    this.startPayee();
  }

  startPayer(): void {
    this.payerScheme = bitcoinChannel(this.options);
    this.payer = new TestSide(this.payerHost, made => this.payerScheme.payer(made));
  }

  startPayee(): void {
    this.payeeScheme = bitcoinChannel(this.options);
    this.payee = new TestSide(this.payeeHost, made => this.payeeScheme.payee(made, signer));
  }

  async fund(satoshi = 1_000_000n): Promise<void> {
    const wallet = this.payerScheme.desk.wallet('payer')!;
    await this.#funds.faucet(wallet.address.address, satoshi);
    await this.mine();
    expect(await this.payerHost.until(() => wallet.balance.confirmedSat >= satoshi)).toBe(true);
  }

  /** The process of one side dies, and starts again with these records in place of its own. */
  async restore(side: 'payer' | 'payee', records: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    const before = side === 'payer' ? this.payerHost : this.payeeHost;
    await before.stop();
    before.store.durable.clear();
    for (const [key, value] of records) before.store.durable.set(key, value);
    if (side === 'payer') {
      this.payerHost = before.restart();
      this.startPayer();
    } else {
      this.payeeHost = before.restart();
      this.startPayee();
    }
    await this.#heard();
  }

  /** Mines, and waits until both sides heard of it. */
  async mine(blocks = 1): Promise<void> {
    await this.#funds.mine(blocks);
    await this.#heard();
  }

  /** Blocks that hold nothing of the mempool. */
  async mineWithout(blocks: number): Promise<void> {
    for (let i = 0; i < blocks; i++) {
      await this.#bitcoind.rpc('generateblock', await this.#funds.address(), []);
      await this.#heard();
    }
  }

  async #heard(): Promise<void> {
    const height = await this.#bitcoind.rpc<number>('getblockcount');
    for (const [host, scheme] of [
      [this.payerHost, this.payerScheme],
      [this.payeeHost, this.payeeScheme],
    ] as const) {
      expect(await host.until(() => scheme.desk.tip === height)).toBe(true);
    }
  }

  async inMempool(count: number): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      if ((await this.#bitcoind.rpc<string[]>('getrawmempool')).length >= count) return;
      await pause(10);
    }
    const faults = [...this.payerHost.faults, ...this.payeeHost.faults];
    throw new Error(`it did not reach the mempool: ${faults.join(', ')}`);
  }

  async inPool(txid: string): Promise<void> {
    await this.inPoolOf([txid], 1);
  }

  /** Waits until so many of these are in the mempool. */
  async inPoolOf(txids: readonly string[], count: number): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      const pool = new Set(await this.#bitcoind.rpc<string[]>('getrawmempool'));
      if (txids.filter(each => pool.has(each)).length >= count) return;
      await pause(10);
    }
    const faults = [...this.payerHost.faults, ...this.payeeHost.faults];
    throw new Error(`${count} of ${txids.join(', ')} did not reach the mempool: ${faults.join(', ')}`);
  }

  talk(budget = 20_000_000n): Conversation {
    return new Conversation(this.payer, this.payee, signer, ++this.#sessions, budget);
  }

  async open(value = 1_000_000n, budget?: bigint): Promise<Conversation> {
    const talk = this.talk(budget);
    const paying = talk.pay(value);
    await this.inMempool(1);
    await this.mine();
    expect(await paying).toMatchObject({ kind: 'credited', value });
    return talk;
  }

  row(side: 'payer' | 'payee') {
    return (side === 'payer' ? this.payerScheme : this.payeeScheme).desk.channels()[0];
  }

  async phase(side: 'payer' | 'payee', phase: string): Promise<void> {
    const host = side === 'payer' ? this.payerHost : this.payeeHost;
    const came = await host.until(() => this.row(side).phase === phase);
    expect([this.row(side).phase, came, ...host.faults]).toEqual([phase, true]);
  }

  /** Everything in both stores, against what bitcoind says. */
  async checkLedgers(): Promise<void> {
    for (const { store } of [this.payerHost, this.payeeHost]) {
      await this.mine();
      const ledger = readLedger(store, 'regtest');
      const facts = await contractFacts(this.#bitcoind.rpc, ledger.rows.map(contractName), ledger.fromHeight);
      const findings = ledger.check(facts);
      expect(findings.length).toBeGreaterThan(0);
      expect(findings.flatMap(({ problems }) => problems)).toEqual([]);
    }
  }

  async stop(): Promise<void> {
    await this.payerHost.stop();
    await this.payeeHost.stop();
  }
}
