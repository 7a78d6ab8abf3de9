import { setTimeout as pause } from 'node:timers/promises';
import { assert } from '../base/assert.ts';
import { toHex } from '../base/bytes.ts';
import type { Answer, AnswerHandler, AskId, ChainEvent, ChainPort, Observer, Outpoint } from '../ports.ts';
import {
  BitcoindRpc,
  BitcoindRpcError,
  type BitcoindRpcOptions,
  satoshiOfBitcoin,
} from './bitcoind-rpc-client.ts';
import { BlockFollower, coinbaseMaturity } from './block-follower.ts';
import { ChainOutage, faultOf } from './chain-outage.ts';

export interface BitcoindChainOptions extends BitcoindRpcOptions {
  readonly observer: Observer;
  /** Answered when bitcoind cannot estimate, and never gone below. */
  readonly floorSatPerKvb?: bigint;
}

const floorSatPerKvbDefault = 2_000n;
const retryMsMin = 100;
const retryMsMax = 5_000;

/**
 * The chain as one bitcoind sees it. Answers and news come one at a time, in order, never inside a call. While bitcoind
 * cannot be reached, questions are answered with a fault, and news waits.
 */
export class BitcoindChain implements ChainPort {
  readonly #rpc: BitcoindRpc;
  readonly #poll: BitcoindRpc;
  readonly #options: BitcoindChainOptions;
  readonly #follower: BlockFollower;
  #handler: AnswerHandler | undefined;
  #news: (() => void)[] = [];
  #stopped = false;
  #running: Promise<void> | undefined;
  /** Settled once bitcoind has said which chain it is on. */
  #regtest: Promise<void> | undefined;

  constructor(options: BitcoindChainOptions) {
    this.#options = options;
    this.#rpc = new BitcoindRpc(options);
    this.#poll = new BitcoindRpc({ ...options, connectionsMax: 1 });
    this.#follower = new BlockFollower(
      (method, parameters, timeoutMs) => this.#call(method, parameters, timeoutMs),
      (method, parameters, timeoutMs) => this.#call(method, parameters, timeoutMs, this.#poll),
      event => this.#tell(event),
    );
  }

  /** The first block is the tip; what is known of watched scripts comes before. */
  attach(handler: AnswerHandler): void {
    assert(this.#handler === undefined, 'one handler');
    this.#handler = handler;
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#news = [];
    this.#rpc.close();
    this.#poll.close();
    await this.#running;
  }

  broadcast(transactions: readonly Uint8Array[], ask: AskId): void {
    const hexes = transactions.map(toHex);
    void this.#offer(hexes).then(
      () => this.#answer({ kind: 'broadcast', ask }),
      error => this.#answer({ kind: 'broadcast', ask, fault: faultOf(error) }),
    );
  }

  output(outpoint: Outpoint, ask: AskId): void {
    const txid = toHex(outpoint.txid.slice().reverse());
    void this.#output(txid, outpoint.index).then(
      found => this.#answer({ kind: 'output', ask, ...found }),
      error => this.#answer({ kind: 'output', ask, fault: faultOf(error) }),
    );
  }

  async #output(txid: string, index: number): Promise<FoundOutput> {
    const found = await this.#call<TxOut | null>('gettxout', [txid, index, true]);
    // It does not say whether a block has what spends it, the mempool, or whether there never was such an output.
    if (found === null) {
      const asked = [{ txid, vout: index }];
      const [{ spendingtxid }] = await this.#call<readonly Spending[]>('gettxspendingprevout', [asked]);
      return spendingtxid === undefined ? {} : { spending: true };
    }
    const script = new Uint8Array(Buffer.from(found.scriptPubKey.hex, 'hex'));
    if (!Number.isSafeInteger(found.confirmations)) throw new Error('gettxout: not an output');
    const buried = found.coinbase ? coinbaseMaturity - 1 : 0;
    const confirmations = Math.max(0, found.confirmations - buried);
    return { output: { script, valueSat: satoshiOfBitcoin(found.value), confirmations } };
  }

  feerate(ask: AskId): void {
    void this.#estimate().then(
      satPerKvb => this.#answer({ kind: 'feerate', ask, satPerKvb }),
      error => this.#answer({ kind: 'feerate', ask, fault: faultOf(error) }),
    );
  }

  watch(script: Uint8Array, fromHeight: number): void {
    this.#follower.watch(script.slice(), fromHeight);
  }

  unwatch(script: Uint8Array): void {
    this.#follower.unwatch(script);
  }

  /** Asks nothing of a chain whose coins may be worth something. */
  async #call<T>(
    method: string,
    parameters: readonly unknown[],
    timeoutMs?: number,
    rpc = this.#rpc,
  ): Promise<T> {
    this.#regtest ??= this.#requireRegtest();
    await this.#regtest;
    try {
      return await rpc.call<T>(method, parameters, timeoutMs);
    } catch (error) {
      // It may be another bitcoind when it is there again.
      if (!(error instanceof BitcoindRpcError)) this.#regtest = undefined;
      throw error;
    }
  }

  async #requireRegtest(): Promise<void> {
    try {
      const { chain } = await this.#rpc.call<{ chain: string }>('getblockchaininfo', []);
      if (chain !== 'regtest') throw new Error(`bitcoind is on chain "${chain}", and only regtest is taken`);
    } catch (error) {
      this.#regtest = undefined;
      throw error;
    }
  }

  /** A package, parents first, together; when that fails, as when its parent is in a block by now, one by one. */
  async #offer(hexes: readonly string[]): Promise<void> {
    if (hexes.length > 1 && (await this.#offerPackage(hexes))) return;
    for (const hex of hexes) {
      try {
        await this.#call('sendrawtransaction', [hex]);
      } catch (error) {
        if (!isKnownAlready(error)) throw error;
      }
    }
  }

  /** False when bitcoind does not take it whole. */
  async #offerPackage(hexes: readonly string[]): Promise<boolean> {
    try {
      const { package_msg } = await this.#call<{ package_msg: string }>('submitpackage', [hexes]);
      return package_msg === 'success';
    } catch (error) {
      if (error instanceof BitcoindRpcError) return false;
      throw error;
    }
  }

  async #estimate(): Promise<bigint> {
    const floor = this.#options.floorSatPerKvb ?? floorSatPerKvbDefault;
    const [estimate, mempool] = await Promise.all([
      this.#call<{ feerate?: number }>('estimatesmartfee', [2]),
      this.#call<{ mempoolminfee: number; incrementalrelayfee: number }>('getmempoolinfo', []),
    ]);
    // What comes in at a full mempool's very minimum is the next to be thrown out.
    const entry = satoshiOfBitcoin(mempool.mempoolminfee) + satoshiOfBitcoin(mempool.incrementalrelayfee);
    const rates = [floor, entry];
    if (estimate.feerate !== undefined) rates.push(satoshiOfBitcoin(estimate.feerate));
    return rates.reduce((highest, rate) => (rate > highest ? rate : highest));
  }

  async #follow(): Promise<void> {
    const outage = new ChainOutage(this.#options.observer, () => performance.now());
    let retryMs = retryMsMin;
    while (!this.#stopped) {
      try {
        await this.#follower.next();
        outage.over();
        retryMs = retryMsMin;
      } catch (error) {
        if (this.#stopped) return;
        outage.failed(error);
        await pause(retryMs, undefined, { ref: false });
        retryMs = Math.min(retryMs * 2, retryMsMax);
      }
    }
  }

  #answer(answer: Answer): void {
    this.#later(() => this.#handler?.onAnswer(answer));
  }

  #tell(event: ChainEvent): void {
    this.#later(() => this.#handler?.onChain(event));
  }

  /** One at a time, each from the event loop, so that a handler's failure is not swallowed by a promise. */
  #later(run: () => void): void {
    if (this.#stopped) return;
    this.#news.push(run);
    if (this.#news.length === 1) setImmediate(() => this.#drain());
  }

  #drain(): void {
    const run = this.#news[0];
    if (run === undefined || this.#stopped) return;
    try {
      run();
    } finally {
      this.#news.shift();
      if (this.#news.length > 0) setImmediate(() => this.#drain());
    }
  }
}

type FoundOutput = Pick<Extract<Answer, { kind: 'output' }>, 'output' | 'spending'>;

/** As bitcoind answers `gettxspendingprevout`. */
interface Spending {
  readonly spendingtxid?: string;
}

interface TxOut {
  readonly value: number;
  readonly confirmations: number;
  readonly coinbase: boolean;
  readonly scriptPubKey: { readonly hex: string };
}

/** In the mempool or in a block already: what was wanted. */
function isKnownAlready(error: unknown): boolean {
  if (!(error instanceof BitcoindRpcError)) return false;
  if (error.code === -27) return true;
  return /txn-already-in-mempool|txn-already-known|txn-same-nonwitness-data-in-mempool/.test(error.message);
}
