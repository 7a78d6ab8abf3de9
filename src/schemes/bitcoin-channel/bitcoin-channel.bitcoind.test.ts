import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../../../regtest/funds.ts';
import { contractFacts } from '../../../scripts/contract-facts.ts';
import { BitcoindHost } from '../../../test/bitcoind-host.fixture.ts';
import { Ed25519Key } from '../../crypto/ed25519.ts';
import type { Payee, Payer } from '../../payment/scheme.ts';
import { type BitcoinChannelScheme, bitcoinChannel, contractName, readLedger } from './index.ts';
import type { BitcoinChannelOptions } from './options.ts';
import { Conversation, TestSide } from './test-world.ts';

const identity = new Ed25519Key(new Uint8Array(32).fill(9));
const signer = { ed25519: identity.publicKey, sign: (message: Uint8Array) => identity.sign(message) };

let bitcoind: Bitcoind;
let funds: Funds;

beforeAll(async () => {
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
});
afterAll(() => bitcoind.stop());

class Lab {
  readonly options: BitcoinChannelOptions;
  payerHost = new BitcoindHost(bitcoind);
  payeeHost = new BitcoindHost(bitcoind);
  payerScheme!: BitcoinChannelScheme;
  payeeScheme!: BitcoinChannelScheme;
  payer!: TestSide<Payer>;
  payee!: TestSide<Payee>;
  #sessions = 0;

  constructor(options: Partial<BitcoinChannelOptions>) {
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
    await funds.faucet(wallet.address.address, satoshi);
    await this.mine();
    expect(await this.payerHost.until(() => wallet.balance.confirmedSat >= satoshi)).toBe(true);
  }

  /** Mines, and waits until both sides heard of it. */
  async mine(blocks = 1): Promise<void> {
    await funds.mine(blocks);
    await this.#heard();
  }

  /** Blocks that hold nothing of the mempool. */
  async mineWithout(blocks: number): Promise<void> {
    for (let i = 0; i < blocks; i++) {
      await bitcoind.rpc('generateblock', await funds.address(), []);
      await this.#heard();
    }
  }

  async #heard(): Promise<void> {
    const height = await bitcoind.rpc<number>('getblockcount');
    for (const [host, scheme] of [
      [this.payerHost, this.payerScheme],
      [this.payeeHost, this.payeeScheme],
    ] as const) {
      expect(await host.until(() => scheme.desk.tip === height)).toBe(true);
    }
  }

  async inMempool(count: number): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      if ((await bitcoind.rpc<string[]>('getrawmempool')).length >= count) return;
      await pause(10);
    }
    const faults = [...this.payerHost.faults, ...this.payeeHost.faults];
    throw new Error(`it did not reach the mempool: ${faults.join(', ')}`);
  }

  talk(budget = 20_000_000n): Conversation {
    return new Conversation(this.payer, this.payee, signer, ++this.#sessions, budget);
  }

  async open(value = 1_000_000n): Promise<Conversation> {
    const talk = this.talk();
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
      const facts = await contractFacts(bitcoind.rpc, ledger.rows.map(contractName), ledger.fromHeight);
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

describe.each(['spillman', 'cltv'] as const)('bitcoin-channel on bitcoind, %s', variant => {
  let lab: Lab;
  beforeEach(async () => {
    lab = new Lab({ variant });
    await lab.fund();
  });
  afterEach(() => lab.stop());

  it('pays and settles', async () => {
    const talk = await lab.open();
    for (let i = 0; i < 10; i++) expect(await talk.pay(250_000n)).toMatchObject({ kind: 'credited' });
    expect(talk.credited).toBe(3_500_000n);
    expect(await talk.close()).toBe(true);
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payer', 'closed');
    await lab.phase('payee', 'closed');
    const { ending, capacitySat, feeSat, settlementTxid } = lab.row('payee');
    expect(ending).toMatchObject({ how: 'payment', payeeSat: 3_500n, txid: settlementTxid });
    expect(ending!.payeeSat + ending!.payerSat + feeSat + 240n).toBe(capacitySat);
    await lab.checkLedgers();
  });

  it('settles a channel that is paid out, without an output for the payer', async () => {
    const talk = await lab.open();
    expect(await talk.pay(18_900_000n)).toMatchObject({ kind: 'credited' });
    expect(await talk.pay(200_000n)).toMatchObject({ fault: { code: 'PAY_CHANNEL_EXHAUSTED' } });
    await talk.close();
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payee', 'closed');
    expect(lab.row('payee').ending).toMatchObject({ payeeSat: 20_000n, payerSat: 0n });
    await lab.checkLedgers();
  });

  it('returns a channel that paid nothing at once', async () => {
    const talk = lab.talk();
    const paying = talk.pay(0n);
    await lab.inMempool(1);
    await lab.mine();
    expect(await paying).toEqual({ kind: 'ready' });
    expect(await talk.close()).toBe(true);
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payer', 'closed');
    expect(lab.row('payer').ending).toMatchObject({ how: 'payment', payeeSat: 0n });
    await lab.checkLedgers();
  });

  it('refunds after T', async () => {
    const talk = lab.talk();
    const paying = talk.pay(0n);
    await lab.inMempool(1);
    await lab.mine();
    await paying;
    talk.lose();
    const { refundHeight, capacitySat, feeSat } = lab.row('payer');
    const height = await bitcoind.rpc<number>('getblockcount');
    await lab.mine(refundHeight - height - 1);
    expect(await bitcoind.rpc<string[]>('getrawmempool')).toEqual([]);
    await lab.mine();
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payer', 'refunded');
    expect(lab.row('payer').ending).toMatchObject({ how: 'refund', payerSat: capacitySat - feeSat });
    await lab.checkLedgers();
  });

  it('keeps the best payment over a kill of the payee, and settles it', async () => {
    const talk = await lab.open();
    await talk.pay(2_000_000n);
    await lab.payeeHost.stop();
    lab.payeeHost = lab.payeeHost.restart();
    lab.startPayee();
    lab.payer.side.ended(talk.session);
    await lab.phase('payee', 'open');
    await lab.mine();
    await lab.mine();
    await lab.mine();
    await lab.phase('payee', 'closing');
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payee', 'closed');
    expect(lab.row('payee').ending).toMatchObject({ how: 'payment', payeeSat: 3_000n });
    await lab.checkLedgers();
  });

  it('refuses what is replayed, decreasing, forged or too large, and credits nothing', async () => {
    const talk = await lab.open();
    await talk.pay(5_000_000n);
    const credited = talk.credited;
    const best = talk.sent.at(-1)!;
    const forged = best.slice();
    forged[17] += 1;
    const large = best.slice();
    large.fill(0xff, 10, 18);
    for (const [payment, code] of [
      [best, 'stale'],
      [talk.sent.at(-2)!, 'stale'],
      [forged, 'badSignature'],
      [large, 'overspent'],
    ] as const) {
      expect(await talk.send(payment)).toMatchObject({ kind: 'refused', fault: { code } });
    }
    expect(talk.credited).toBe(credited);
    expect(lab.row('payee').paidSat).toBe(6_000n);
    talk.lose();
  });

  it('raises the fee of a settlement by a child that bitcoind takes', async () => {
    const talk = await lab.open(8_000_000n);
    await talk.close();
    await lab.inMempool(1);
    // Miners leave the settlement out, until its child pays.
    await lab.mineWithout(3);
    await lab.inMempool(2);
    const mempool = await bitcoind.rpc<Record<string, { ancestorcount: number }>>('getrawmempool', true);
    expect(mempool[lab.row('payee').settlementTxid]).toMatchObject({ descendantcount: 2 });
    await lab.mineWithout(6);
    expect(lab.row('payee').phase).toBe('closing');
    await lab.mine();
    await lab.phase('payee', 'closed');
    await lab.checkLedgers();
  });
});
