import {
  type ChainTransaction,
  finalSequence,
  outpointKey,
  type TransactionOutput,
} from './transaction-bytes.ts';

/** An unspent output and how it came to be. */
export interface Coin extends TransactionOutput {
  readonly height: number;
}

/** Checks one input's script and signatures; undefined when they are right, else why not. */
export type VerifyInput = (spend: {
  readonly transaction: Uint8Array;
  readonly input: number;
  /** The outputs that the transaction's inputs spend, in their order. */
  readonly spent: readonly TransactionOutput[];
}) => string | undefined;

/** What the mempool asks of the chain it stands on. */
export interface ChainTip {
  readonly height: number;
  coin(key: string): Coin | undefined;
  /** True for a transaction of the best chain. */
  confirmed(id: string): boolean;
}

export interface PooledTransaction {
  readonly transaction: ChainTransaction;
  readonly feeSat: bigint;
}

/** Pay-to-anchor, an output that anybody may spend. */
const anchorScript = Buffer.from('51024e73', 'hex');
const anchorDustSat = 240n;
const dustSat = 294n;
const lockTimeThreshold = 500_000_000;
/** A replacement pays for its own relay on top of what it replaces. */
const replaceFeeSatPerVbyte = 1n;

/** Unconfirmed transactions that do not conflict, under the policy that matters to channels: fees, dust, lock times. */
export class Mempool {
  /** Least feerate for entry, sat per 1000 virtual bytes. */
  floorSatPerKvb: bigint;
  readonly #tip: ChainTip;
  readonly #verify: VerifyInput;
  #pool = new Map<string, PooledTransaction>();
  #spender = new Map<string, string>();

  constructor(tip: ChainTip, verify: VerifyInput, floorSatPerKvb: bigint) {
    this.#tip = tip;
    this.#verify = verify;
    this.floorSatPerKvb = floorSatPerKvb;
  }

  /** In order of entry. */
  get transactions(): readonly PooledTransaction[] {
    return [...this.#pool.values()];
  }

  get(id: string): PooledTransaction | undefined {
    return this.#pool.get(id);
  }

  /** The output behind `key` unless it is spent, in a block or here. */
  unspent(key: string): Coin | undefined {
    return this.#spender.has(key) ? undefined : this.#output(key);
  }

  /** True for an output that a transaction here spends. */
  spends(key: string): boolean {
    return this.#spender.has(key);
  }

  /** Takes all of a package or nothing; says why not. */
  accept(transactions: readonly ChainTransaction[]): string | undefined {
    const before = { pool: new Map(this.#pool), spender: new Map(this.#spender) };
    const fault = this.#acceptEach(transactions);
    if (fault === undefined) return undefined;
    this.#pool = before.pool;
    this.#spender = before.spender;
    return fault;
  }

  /** Takes a transaction out, and with it all that spend its outputs. */
  evict(id: string): void {
    const pooled = this.#pool.get(id);
    if (pooled === undefined) return;
    for (let index = 0; index < pooled.transaction.outputs.length; index++) {
      const child = this.#spender.get(`${id}:${index}`);
      if (child !== undefined) this.evict(child);
    }
    this.#drop(pooled.transaction);
  }

  /** A block confirmed `transaction`: what conflicts with it can never confirm. */
  confirm(transaction: ChainTransaction): void {
    this.#drop(transaction);
    for (const { outpoint } of transaction.inputs) {
      const rival = this.#spender.get(outpointKey(outpoint));
      if (rival !== undefined) this.evict(rival);
    }
  }

  /** Faults are found in bitcoind's order, so that a transaction with several is refused for the same one. */
  #acceptEach(transactions: readonly ChainTransaction[]): string | undefined {
    let feeSat = 0n;
    let vsize = 0n;
    for (const transaction of transactions) {
      if (this.#pool.has(transaction.id) || this.#tip.confirmed(transaction.id)) continue;
      const entered = this.#enter(transaction, transactions.length === 1);
      if (typeof entered === 'string') return entered;
      feeSat += entered.feeSat;
      vsize += BigInt(transaction.vsize);
    }
    return this.#tooCheap(feeSat, vsize);
  }

  #tooCheap(feeSat: bigint, vsize: bigint): string | undefined {
    return feeSat * 1_000n < this.floorSatPerKvb * vsize ? 'min relay fee not met' : undefined;
  }

  /** @param alone it pays for itself, and not others of its package for it. */
  #enter(transaction: ChainTransaction, alone: boolean): PooledTransaction | string {
    if (transaction.outputs.some(isDust)) return 'dust';
    if (!isFinal(transaction, this.#tip.height + 1)) return 'non-final';
    const coins: Coin[] = [];
    const rivals = new Set<string>();
    for (const { outpoint } of transaction.inputs) {
      const key = outpointKey(outpoint);
      const coin = this.#output(key);
      if (coin === undefined) return 'bad-txns-inputs-missingorspent';
      coins.push(coin);
      const rival = this.#spender.get(key);
      if (rival !== undefined) rivals.add(rival);
    }
    const feeSat = sum(coins) - sum(transaction.outputs);
    const fault =
      this.#inputFault(transaction, coins, feeSat) ??
      (alone ? this.#tooCheap(feeSat, BigInt(transaction.vsize)) : undefined) ??
      this.#replace(transaction, feeSat, rivals) ??
      this.#scriptFault(transaction, coins);
    if (fault !== undefined) return fault;
    const pooled = { transaction, feeSat };
    this.#pool.set(transaction.id, pooled);
    for (const { outpoint } of transaction.inputs) this.#spender.set(outpointKey(outpoint), transaction.id);
    return pooled;
  }

  #inputFault(transaction: ChainTransaction, coins: readonly Coin[], feeSat: bigint): string | undefined {
    if (new Set(transaction.inputs.map(input => outpointKey(input.outpoint))).size !== coins.length) {
      return 'bad-txns-inputs-duplicate';
    }
    return feeSat < 0n ? 'bad-txns-in-belowout' : undefined;
  }

  #scriptFault(transaction: ChainTransaction, coins: readonly Coin[]): string | undefined {
    for (let input = 0; input < coins.length; input++) {
      const wrong = this.#verify({ transaction: transaction.bytes, input, spent: coins });
      if (wrong !== undefined) return `mandatory-script-verify-flag-failed (${wrong})`;
    }
    return undefined;
  }

  /** Drops what `transaction` conflicts with, if it pays enough more than all of it. */
  #replace(transaction: ChainTransaction, feeSat: bigint, rivals: ReadonlySet<string>): string | undefined {
    if (rivals.size === 0) return undefined;
    const ownCost = BigInt(transaction.vsize) * replaceFeeSatPerVbyte;
    const evicted = [...rivals].flatMap(id => this.#withDescendants(id));
    if (
      evicted.some(id => transaction.inputs.some(input => outpointKey(input.outpoint).startsWith(`${id}:`)))
    ) {
      return 'bad-txns-spends-conflicting-tx';
    }
    const replacedSat = evicted.reduce((fees, id) => fees + (this.#pool.get(id)?.feeSat ?? 0n), 0n);
    if (feeSat < replacedSat + ownCost) return 'insufficient fee, rejecting replacement';
    for (const id of rivals) this.evict(id);
    return undefined;
  }

  #withDescendants(id: string): string[] {
    const outputs = this.#pool.get(id)?.transaction.outputs.length ?? 0;
    const children = Array.from({ length: outputs }, (_, index) => this.#spender.get(`${id}:${index}`));
    return [id, ...children.flatMap(child => (child === undefined ? [] : this.#withDescendants(child)))];
  }

  #output(key: string): Coin | undefined {
    const confirmed = this.#tip.coin(key);
    if (confirmed !== undefined) return confirmed;
    const [id, index] = key.split(':');
    const output = this.#pool.get(id)?.transaction.outputs[Number(index)];
    return output === undefined ? undefined : { ...output, height: this.#tip.height + 1 };
  }

  #drop(transaction: ChainTransaction): void {
    if (!this.#pool.delete(transaction.id)) return;
    for (const { outpoint } of transaction.inputs) this.#spender.delete(outpointKey(outpoint));
  }
}

/** True when the transaction may be in a block of that height; lock times in seconds never are, channels use heights. */
export function isFinal(transaction: ChainTransaction, height: number): boolean {
  if (transaction.lockTime === 0) return true;
  if (transaction.inputs.every(input => input.sequence === finalSequence)) return true;
  return transaction.lockTime < lockTimeThreshold && transaction.lockTime < height;
}

function isDust({ script, valueSat }: TransactionOutput): boolean {
  if (script[0] === 0x6a) return false;
  return valueSat < (anchorScript.equals(script) ? anchorDustSat : dustSat);
}

function sum(outputs: readonly TransactionOutput[]): bigint {
  return outputs.reduce((total, output) => total + output.valueSat, 0n);
}
