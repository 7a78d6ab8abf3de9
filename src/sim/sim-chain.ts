import { assert } from '../base/assert.ts';
import { toHex, utf8 } from '../base/bytes.ts';
import type { Outpoint } from '../ports.ts';
import {
  type ChainTip,
  type Coin,
  isFinal,
  Mempool,
  type PooledTransaction,
  type VerifyInput,
} from './mempool.ts';
import {
  type ChainTransaction,
  coinbase,
  outpointKey,
  parseTransaction,
  sha256,
  type TransactionOutput,
} from './transaction-bytes.ts';

export interface Block {
  readonly height: number;
  readonly hash: Uint8Array;
  /** The coinbase first. */
  readonly transactions: readonly ChainTransaction[];
  /** Outputs that the block spends, by outpoint: what disconnecting it brings back. */
  readonly spent: ReadonlyMap<string, Coin>;
  readonly feesSat: bigint;
  readonly issued: readonly TransactionOutput[];
  /** Hex of each script that a transaction of the block pays or spends from. */
  readonly touches: ReadonlySet<string>;
}

/** Hears of the best chain; called while the chain changes, so it may only take note. */
export interface ChainListener {
  connected(block: Block): void;
  /** Blocks above `height` are no longer in the best chain. */
  disconnected(height: number): void;
  /** The mempool took a transaction that somebody offered. */
  entered?(transaction: ChainTransaction): void;
}

export interface ChainOptions {
  readonly verifyInput: VerifyInput;
  readonly floorSatPerKvb: bigint;
  /** Height of the chain when the world begins. */
  readonly startHeight: number;
  readonly blockVsizeMax: number;
}

export interface ReorgOptions {
  /** Ids of transactions that the new branch and the mempool forget. */
  readonly without?: readonly string[];
  /** Transactions that the new branch's first block confirms before all others. */
  readonly with?: readonly Uint8Array[];
}

const acceptAll: VerifyInput = () => undefined;

/** One best chain and one mempool for all nodes of a world: blocks, fees, reorganisations, on demand. */
export class SimChain implements ChainTip {
  readonly mempool: Mempool;
  /** Blocks take only packages of at least this feerate; above the mempool's floor, cheap transactions get stuck. */
  minedSatPerKvb = 0n;
  readonly #blockVsizeMax: number;
  readonly #startHeight: number;
  #blocks: Block[] = [];
  #coins = new Map<string, Coin>();
  #confirmedAt = new Map<string, number>();
  /** Which blocks touch a script, by its hex: whoever watches one looks at these alone, however long the chain is. */
  #touching = new Map<string, Block[]>();
  #toIssue: TransactionOutput[] = [];
  #listeners = new Set<ChainListener>();
  #branches = 0;

  constructor(options: Partial<ChainOptions> = {}) {
    this.mempool = new Mempool(this, options.verifyInput ?? acceptAll, options.floorSatPerKvb ?? 1_000n);
    this.#startHeight = options.startHeight ?? 100;
    this.#blockVsizeMax = options.blockVsizeMax ?? 1_000_000;
    this.#connect([], []);
  }

  get height(): number {
    return this.#startHeight + this.#blocks.length - 1;
  }

  get tip(): Block {
    return this.#blocks[this.#blocks.length - 1];
  }

  listen(listener: ChainListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Blocks of the best chain from `height` on. */
  blocksFrom(height: number): readonly Block[] {
    return this.#blocks.slice(Math.max(0, height - this.#startHeight));
  }

  /** Those of them that touch a script, by its hex. */
  blocksTouching(script: string, height: number): readonly Block[] {
    return (this.#touching.get(script) ?? []).filter(block => block.height >= height);
  }

  coin(key: string): Coin | undefined {
    return this.#coins.get(key);
  }

  confirmed(id: string): boolean {
    return this.#confirmedAt.has(id);
  }

  /** Mempool included; a confirmed output of the tip's block has 1 confirmation. */
  unspent(outpoint: Outpoint): { readonly coin: Coin; readonly confirmations: number } | undefined {
    const coin = this.mempool.unspent(outpointKey(outpoint));
    return coin && { coin, confirmations: Math.max(0, this.height - coin.height + 1) };
  }

  /** Offers a package, parents first; says why it was refused. */
  offer(transactions: readonly Uint8Array[]): string | undefined {
    const parsed = transactions.map(parseTransaction);
    if (parsed.includes(undefined)) return 'TX decode failed';
    const offered = parsed as ChainTransaction[];
    const fault = this.mempool.accept(offered);
    if (fault !== undefined) return fault;
    for (const transaction of offered) {
      for (const listener of this.#listeners) listener.entered?.(transaction);
    }
    return undefined;
  }

  /** New money for `script`, in the next block. */
  issue(script: Uint8Array, valueSat: bigint): void {
    this.#toIssue.push({ script: script.slice(), valueSat });
  }

  mine(blocks = 1): void {
    for (let i = 0; i < blocks; i++) {
      const issued = this.#toIssue;
      this.#toIssue = [];
      this.#connect(issued, this.#choose());
    }
  }

  /** Replaces the last `depth` blocks by one more than they were. Issued money is issued again, at the same height. */
  reorg(depth: number, options: ReorgOptions = {}): void {
    assert(depth > 0 && depth < this.#blocks.length, 'a reorganisation keeps the first block');
    const gone = this.#blocks.splice(this.#blocks.length - depth);
    for (const block of [...gone].reverse()) this.#disconnect(block);
    this.#branches += 1;
    for (const listener of this.#listeners) listener.disconnected(this.height);

    const without = new Set(options.without);
    const unconfirmed = this.mempool.transactions.map(({ transaction }) => transaction);
    const back = [...gone.flatMap(block => block.transactions.slice(1)), ...unconfirmed];
    // What was locked until a height that is ahead again leaves the mempool for good, as bitcoind has it.
    const returned = back.filter(each => !without.has(each.id) && isFinal(each, this.height + 1));
    for (const { id } of back) this.mempool.evict(id);
    const fault = this.offer(options.with ?? []);
    assert(fault === undefined, `the new branch takes its transactions: ${fault}`);
    for (const block of gone) {
      for (const transaction of returned) this.mempool.accept([transaction]);
      this.#connect(block.issued, this.#choose());
    }
    for (const transaction of returned) this.mempool.accept([transaction]);
    this.mine();
  }

  /** Satoshi in unspent outputs of the best chain. */
  unspentSat(): bigint {
    let total = 0n;
    for (const { valueSat } of this.#coins.values()) total += valueSat;
    return total;
  }

  issuedSat(): bigint {
    return this.#blocks.flatMap(block => block.issued).reduce((total, out) => total + out.valueSat, 0n);
  }

  feesSat(): bigint {
    return this.#blocks.reduce((total, block) => total + block.feesSat, 0n);
  }

  /** Satoshi of unspent outputs that pay `script`. */
  balanceSat(script: Uint8Array): bigint {
    const wanted = toHex(script);
    let total = 0n;
    for (const coin of this.#coins.values()) if (toHex(coin.script) === wanted) total += coin.valueSat;
    return total;
  }

  /** The best packages that fit into a block, parents before children. */
  #choose(): PooledTransaction[] {
    const pool = this.mempool.transactions;
    const wanted = pool.reduce((total, { transaction }) => total + transaction.vsize, 0);
    if (this.minedSatPerKvb === 0n && wanted <= this.#blockVsizeMax) return [...pool];

    const left = new Map(pool.map(pooled => [pooled.transaction.id, pooled]));
    const chosen: PooledTransaction[] = [];
    const taken = new Set<string>();
    let room = this.#blockVsizeMax;
    while (left.size > 0) {
      const best = bestPackage(left);
      for (const { transaction } of best.members) left.delete(transaction.id);
      // A child whose parent was left out waits with it.
      const orphan = best.members.some(member => this.#waitsForParent(member, best.members, taken));
      if (orphan || best.feerate < this.minedSatPerKvb || best.vsize > room) continue;
      room -= best.vsize;
      for (const member of best.members) taken.add(member.transaction.id);
      chosen.push(...best.members);
    }
    return chosen;
  }

  #waitsForParent(
    { transaction }: PooledTransaction,
    together: readonly PooledTransaction[],
    taken: ReadonlySet<string>,
  ): boolean {
    return transaction.inputs.some(({ outpoint }) => {
      const parent = toHex(outpoint.txid);
      if (taken.has(parent) || this.mempool.get(parent) === undefined) return false;
      return !together.some(member => member.transaction.id === parent);
    });
  }

  #connect(issued: readonly TransactionOutput[], chosen: readonly PooledTransaction[]): void {
    const height = this.#startHeight + this.#blocks.length;
    const first = parseTransaction(coinbase(height, issued));
    assert(first !== undefined, 'a coinbase parses');
    const transactions = [first, ...chosen.map(({ transaction }) => transaction)];
    const spent = new Map<string, Coin>();
    for (const transaction of transactions) this.#apply(transaction, height, spent);
    const previous = this.#blocks.length === 0 ? new Uint8Array(32) : this.tip.hash;
    const salt = utf8(`${height}/${this.#branches}`);
    const hash = new Uint8Array(sha256(previous, salt, ...transactions.map(({ txid }) => txid)));
    const feesSat = chosen.reduce((total, { feeSat }) => total + feeSat, 0n);
    const outputs = [...transactions.flatMap(each => each.outputs), ...spent.values()];
    const touches = new Set(outputs.map(({ script }) => toHex(script)));
    const block: Block = { height, hash, transactions, spent, feesSat, issued, touches };
    this.#blocks.push(block);
    for (const script of touches) {
      const touching = this.#touching.get(script);
      if (touching === undefined) this.#touching.set(script, [block]);
      else touching.push(block);
    }
    for (const { transaction } of chosen) this.mempool.confirm(transaction);
    for (const listener of this.#listeners) listener.connected(block);
  }

  #apply(transaction: ChainTransaction, height: number, spent: Map<string, Coin>): void {
    this.#confirmedAt.set(transaction.id, height);
    for (const { outpoint } of transaction.inputs) {
      const key = outpointKey(outpoint);
      const coin = this.#coins.get(key);
      if (coin === undefined) continue;
      spent.set(key, coin);
      this.#coins.delete(key);
    }
    transaction.outputs.forEach(({ script, valueSat }, index) => {
      if (script[0] !== 0x6a) this.#coins.set(`${transaction.id}:${index}`, { script, valueSat, height });
    });
  }

  /** Of the blocks that are left the last one. */
  #disconnect(block: Block): void {
    for (const script of block.touches) this.#touching.get(script)?.pop();
    for (const transaction of [...block.transactions].reverse()) {
      this.#confirmedAt.delete(transaction.id);
      transaction.outputs.forEach((_, index) => {
        this.#coins.delete(`${transaction.id}:${index}`);
      });
      for (const { outpoint } of transaction.inputs) {
        const key = outpointKey(outpoint);
        const coin = block.spent.get(key);
        // Spent within the block itself: made and unmade there.
        if (coin !== undefined && coin.height < block.height) this.#coins.set(key, coin);
      }
    }
  }
}

interface Package {
  readonly members: readonly PooledTransaction[];
  readonly vsize: number;
  /** Sat per 1000 virtual bytes, of the whole package. */
  readonly feerate: bigint;
}

/** The transaction with its unconfirmed ancestors that pays best; ties go to the one that came first. */
function bestPackage(left: ReadonlyMap<string, PooledTransaction>): Package {
  let best: Package | undefined;
  for (const pooled of left.values()) {
    const members = [...withAncestors(pooled, left, new Map()).values()];
    const vsize = members.reduce((total, { transaction }) => total + transaction.vsize, 0);
    const feeSat = members.reduce((total, member) => total + member.feeSat, 0n);
    const feerate = (feeSat * 1_000n) / BigInt(vsize);
    if (best === undefined || feerate > best.feerate) best = { members, vsize, feerate };
  }
  assert(best !== undefined, 'a best of at least one');
  return best;
}

/** Ancestors come before what spends them. */
function withAncestors(
  pooled: PooledTransaction,
  left: ReadonlyMap<string, PooledTransaction>,
  found: Map<string, PooledTransaction>,
): Map<string, PooledTransaction> {
  for (const { outpoint } of pooled.transaction.inputs) {
    const id = toHex(outpoint.txid);
    const parent = left.get(id);
    if (parent !== undefined && !found.has(id)) withAncestors(parent, left, found);
  }
  return found.set(pooled.transaction.id, pooled);
}
