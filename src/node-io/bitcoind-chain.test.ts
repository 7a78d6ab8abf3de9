import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { address as addressCodec, networks } from 'bitcoinjs-lib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../../regtest/funds.ts';
import { fromHex, toHex } from '../base/bytes.ts';
import type { Answer, ChainEvent } from '../ports.ts';
import { BitcoindChain } from './bitcoind-chain.ts';

const observer = { log() {}, count() {} };

/** A chain port with all that it told. */
class Listener {
  readonly chain: BitcoindChain;
  readonly events: ChainEvent[] = [];
  readonly answers = new Map<number, Answer>();
  #waiters: (() => void)[] = [];

  constructor(bitcoind: Pick<Bitcoind, 'rpcUrl' | 'cookieFile'>) {
    this.chain = new BitcoindChain({ url: bitcoind.rpcUrl, cookieFile: bitcoind.cookieFile, observer });
    this.chain.attach({
      onAnswer: answer => {
        this.answers.set(answer.ask, answer);
        this.#wake();
      },
      onChain: event => {
        this.events.push(event);
        this.#wake();
      },
    });
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>(resolve => this.#waiters.push(resolve));
  }

  async answer(ask: number): Promise<Answer> {
    await this.until(() => this.answers.has(ask));
    return this.answers.get(ask)!;
  }

  get height(): number {
    return this.events.findLast(event => event.kind === 'block' || event.kind === 'reorg')?.height ?? -1;
  }

  kinds(): string[] {
    return this.events.map(event => `${event.kind} ${event.height}`);
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

let dataDir: string;
let bitcoind: Bitcoind;
let funds: Funds;
const listeners: Listener[] = [];

function listen(): Listener {
  const listener = new Listener(bitcoind);
  listeners.push(listener);
  return listener;
}

const height = () => bitcoind.rpc<number>('getblockcount');
const scriptOf = (text: string) => addressCodec.toOutputScript(text, networks.regtest);
const wireId = (text: string) => fromHex(text)!.reverse();

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'naulon-chain-test-'));
  bitcoind = await startBitcoind({ dataDir });
  funds = await openFunds(bitcoind);
});
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.chain.stop();
});
afterAll(async () => {
  await bitcoind.stop();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
});

/** A transaction (hex) of the faucet's that pays so many bitcoins of that coin to itself. */
async function signed(coin: { txid: string; vout: number }, amount: number): Promise<string> {
  const to = { [await funds.address()]: amount };
  const raw = await bitcoind.rpc<string>('createrawtransaction', [coin], [to]);
  const faucet = bitcoind.walletRpc('faucet');
  return (await faucet<{ hex: string }>('signrawtransactionwithwallet', raw)).hex;
}

describe('bitcoind chain', () => {
  it('tells the tip, then each block', async () => {
    const listener = listen();
    const start = await height();
    await listener.until(() => listener.height === start);
    await funds.mine(3);
    await listener.until(() => listener.height === start + 3);
    const blocks = [0, 1, 2, 3].map(by => `block ${start + by}`);
    expect(listener.kinds()).toEqual([`tip ${start}`, ...blocks]);
  });

  it('tells what pays a watched script and what spends it, later and before', async () => {
    const address = await funds.address();
    const early = listen();
    early.chain.watch(scriptOf(address), await height());
    const txid = await funds.faucet(address, 50_000n);
    await funds.mine(1);
    await early.until(() => early.events.some(event => event.kind === 'paid'));
    const paid = early.events.find(event => event.kind === 'paid')!;
    expect(paid).toMatchObject({ valueSat: 50_000n, height: await height() });
    expect(toHex(paid.outpoint.txid)).toBe(toHex(wireId(txid)));

    const hex = await signed({ txid, vout: paid.outpoint.index }, 0.0004);
    early.chain.broadcast([fromHex(hex)!], 1);
    expect(await early.answer(1)).toEqual({ kind: 'broadcast', ask: 1 });
    early.chain.broadcast([fromHex(hex)!], 2);
    expect(await early.answer(2)).toEqual({ kind: 'broadcast', ask: 2 });
    await funds.mine(1);
    early.chain.broadcast([fromHex(hex)!], 3);
    expect(await early.answer(3)).toEqual({ kind: 'broadcast', ask: 3 });
    await early.until(() => early.events.some(event => event.kind === 'spent'));
    expect(toHex(early.events.find(event => event.kind === 'spent')!.transaction)).toBe(hex);

    const late = listen();
    late.chain.watch(scriptOf(address), 0);
    await late.until(() => late.events.some(event => event.kind === 'spent'));
    expect(late.events.filter(event => event.kind === 'paid')).toEqual([paid]);
  });

  it('answers for outputs and feerates', async () => {
    const listener = listen();
    const address = await funds.address();
    const txid = await funds.faucet(address, 70_000n);
    const { vout } = await bitcoind.rpc<{ vout: { n: number; value: number }[] }>(
      'getrawtransaction',
      txid,
      true,
    );
    const index = vout.find(({ value }) => value === 0.0007)!.n;
    const outpoint = { txid: wireId(txid), index };
    listener.chain.output(outpoint, 1);
    expect(await listener.answer(1)).toMatchObject({ output: { valueSat: 70_000n, confirmations: 0 } });
    await funds.mine(2);
    listener.chain.output(outpoint, 2);
    expect(await listener.answer(2)).toEqual({
      kind: 'output',
      ask: 2,
      output: { script: scriptOf(address), valueSat: 70_000n, confirmations: 2 },
    });
    listener.chain.output({ txid: new Uint8Array(32), index: 0 }, 3);
    expect(await listener.answer(3)).toEqual({ kind: 'output', ask: 3 });
    await bitcoind.rpc('sendrawtransaction', await signed({ txid, vout: index }, 0.0006));
    listener.chain.output(outpoint, 6);
    expect(await listener.answer(6)).toEqual({ kind: 'output', ask: 6, spending: true });
    await funds.mine(1);
    listener.chain.output(outpoint, 7);
    expect(await listener.answer(7)).toEqual({ kind: 'output', ask: 7 });
    listener.chain.feerate(4);
    expect(await listener.answer(4)).toMatchObject({ kind: 'feerate', satPerKvb: 2_000n });
    listener.chain.broadcast([Uint8Array.of(1, 2, 3)], 5);
    expect((await listener.answer(5)) as { fault?: string }).toHaveProperty('fault');
  });

  it('tells a reorganisation, and the blocks that replace the old ones', async () => {
    const listener = listen();
    await funds.mine(3);
    const tip = await height();
    await listener.until(() => listener.height === tip);
    const address = await funds.address();
    listener.chain.watch(scriptOf(address), tip);
    listener.events.length = 0;
    await bitcoind.rpc('invalidateblock', await bitcoind.rpc<string>('getblockhash', tip - 1));
    await listener.until(() => listener.events.length > 0);
    await funds.mine(3, address);
    await listener.until(() => listener.height === tip + 1);
    const blocks = listener.kinds();
    expect(blocks.filter(kind => kind.startsWith('reorg')).at(-1)).toBe(`reorg ${tip - 2}`);
    expect(blocks.slice(-3)).toEqual([`block ${tip - 1}`, `block ${tip}`, `block ${tip + 1}`]);
  });

  it('tells of a coinbase when a block may spend it', async () => {
    const address = await funds.address();
    const listener = listen();
    listener.chain.watch(scriptOf(address), 0);
    await funds.mine(1, address);
    const mined = await height();
    await funds.mine(98);
    await listener.until(() => listener.height === mined + 98);
    expect(listener.events.filter(({ kind }) => kind === 'paid')).toEqual([]);
    await funds.mine(1);
    await listener.until(() => listener.events.some(({ kind }) => kind === 'paid'));
    expect(listener.events.find(({ kind }) => kind === 'paid')).toMatchObject({ height: mined + 99 });
    const late = listen();
    late.chain.watch(scriptOf(address), 0);
    await late.until(() => late.height === mined + 99);
    expect(late.kinds().filter(kind => kind.startsWith('paid'))).toEqual([`paid ${mined + 99}`]);
  });

  it('asks nothing, and sends nothing, where coins are worth something', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      request.on('data', chunk => asked.push(JSON.parse(String(chunk)).method));
      request.on('end', () => response.end(JSON.stringify({ result: { chain: 'main' }, error: null })));
    });
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const rpcUrl = `http://127.0.0.1:${port}`;
    const listener = new Listener({ rpcUrl, cookieFile: bitcoind.cookieFile });
    listeners.push(listener);
    listener.chain.watch(scriptOf(await funds.address()), 0);
    listener.chain.broadcast([new Uint8Array(60)], 1);
    expect(await listener.answer(1)).toMatchObject({
      kind: 'broadcast',
      fault: expect.stringMatching(/only regtest/),
    });
    listener.chain.feerate(2);
    expect(await listener.answer(2)).toHaveProperty('fault');
    await listener.chain.stop();
    await new Promise(done => server.close(done));
    expect([...new Set(asked)]).toEqual(['getblockchaininfo']);
    expect(listener.events).toEqual([]);
  });

  it('says that bitcoind is gone, and goes on when it is back with another cookie', async () => {
    const listener = listen();
    const start = await height();
    await listener.until(() => listener.height === start);
    const { rpcPort } = bitcoind;
    await bitcoind.kill();
    listener.chain.feerate(1);
    expect(await listener.answer(1)).toHaveProperty('fault');
    listener.chain.output({ txid: new Uint8Array(32), index: 0 }, 2);
    expect(await listener.answer(2)).toHaveProperty('fault');
    bitcoind = await startBitcoind({ dataDir, rpcPort });
    funds = await openFunds(bitcoind);
    await funds.mine(2);
    const now = await height();
    await listener.until(() => listener.height === now);
    listener.chain.feerate(3);
    expect(await listener.answer(3)).toMatchObject({ satPerKvb: 2_000n });
  });
});
