import { address as addressCodec, networks, Transaction } from 'bitcoinjs-lib';
import { ByteReader, ByteWriter, toHex } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import { spentCoinBlocks, walletAddressesMax, walletAddressGap } from '../base/limits.ts';
import type { ChainEvent, ChainPort, Outpoint, StorePort, StoreWrite } from '../ports.ts';
import { type Choice, chooseCoins } from './coin-choice.ts';
import { HdKey, harden, type KeyPair } from './keys.ts';
import { outpointKey } from './outpoint.ts';
import { dustSat } from './payment-tx.ts';
import { assertPays, type MeantOutput } from './second-look.ts';
import { keyOutputScript, type SpendableCoin, signCoinInput } from './spend-coin.ts';

export interface WalletOptions {
  /** 16 to 64 secret bytes; all keys and addresses follow from it. */
  readonly seed: Uint8Array;
  /** Where its records lie in the store, such as `bitcoin-channel/payer/wallet/`. */
  readonly prefix: string;
  /** No coin of this wallet is in a block below. */
  readonly birthHeight?: number;
  /** From how many on a coin that others paid is spent; 1 when not given. */
  readonly minConfirmations?: number;
}

/** A coin of the wallet, as the best chain has it. */
export interface WalletCoin {
  readonly outpoint: Outpoint;
  readonly valueSat: bigint;
  readonly addressIndex: number;
  /** Change of our own transaction. */
  readonly own: boolean;
  /** The block that holds it; undefined: our own change, not confirmed. */
  height: number | undefined;
  /** Hex id of our transaction that spends it, or of the foreign one that a block shows. */
  spentBy: string | undefined;
  spentHeight: number | undefined;
}

export interface WalletBalance {
  /** In blocks and free to spend. */
  readonly confirmedSat: bigint;
  /** Change of own transactions that wait for a block. */
  readonly unconfirmedSat: bigint;
}

export interface WalletAddress {
  readonly index: number;
  readonly address: string;
  readonly script: Uint8Array;
}

export interface FundedContract {
  readonly transaction: Transaction;
  readonly outpoint: Outpoint;
  readonly feeSat: bigint;
  /** Records that must be durable before the transaction is sent. */
  readonly writes: readonly StoreWrite[];
}

/**
 * A wallet of P2WPKH coins (BIP84), fed by the chain's events. It keeps one number in the store, how many addresses were
 * handed out; coins are found again by looking through the chain from the birth height.
 */
export class Wallet {
  readonly #branch: HdKey;
  readonly #prefix: string;
  readonly #birthHeight: number;
  readonly #minConfirmations: number;
  readonly #store: Pick<StorePort, 'get'>;
  #chain: ChainPort | undefined;
  #next = 0;
  /** As the store has it, or is about to. */
  #keptNext = 0;
  /** No address beyond this one was ever shown. */
  #shown = 0;
  #tip = 0;
  #scripts: Uint8Array[] = [];
  #indexes = new Map<string, number>();
  /** Indexes of addresses that were promised for nothing. */
  #returned = new Set<number>();
  /** Those that were spent long ago are not among them. */
  #coins = new Map<string, WalletCoin>();
  /** Which own transaction spends an outpoint, known or not. */
  #adopted = new Map<string, string>();
  /** Hex ids of transactions that were made and may yet be sent nowhere: what spent their change would hang on them. */
  #unsent = new Set<string>();
  /** No coin that is not among them any more was spent in a block above. */
  #forgottenHeight = 0;

  constructor(options: WalletOptions, store: Pick<StorePort, 'get'>) {
    // spec: bip-0084, coin type 1 (all test networks), account 0, receiving branch
    this.#branch = HdKey.fromSeed(options.seed).path(harden(84), harden(1), harden(0), 0);
    this.#prefix = options.prefix;
    this.#birthHeight = options.birthHeight ?? 0;
    this.#minConfirmations = options.minConfirmations ?? 1;
    this.#store = store;
    this.#next = this.#durableNext();
    this.#keptNext = this.#next;
    this.#shown = this.#next;
    this.#extend(this.#birthHeight);
  }

  /** Begins to look for coins. */
  watch(chain: ChainPort): void {
    this.#chain = chain;
    this.#lookThroughChain();
  }

  #lookThroughChain(): void {
    for (const script of this.#scripts) this.#chain?.watch(script, this.#birthHeight);
  }

  /**
   * The address to show; another one soon after it was taken or has received a coin. After a crash this one is known to have been
   * shown: one that only memory knows of would make its own records look like an old copy, once it has received.
   */
  get address(): WalletAddress {
    return this.#addressAt(this.#durableNext());
  }

  /** So many addresses, from the first on, are looked for in the chain. */
  get watchedAddresses(): number {
    return this.#scripts.length;
  }

  /** That of an address handed out before. */
  scriptAt(index: number): Uint8Array {
    return this.#addressAt(index).script;
  }

  /** Its text. */
  addressAt(index: number): string {
    return this.#addressAt(index).address;
  }

  /** Addresses that nobody was given yet. */
  get addressesLeft(): number {
    return walletAddressesMax - this.#next;
  }

  /** An address nobody was given yet, or the last one of all; `writes` must be durable before it is told to anybody. */
  takeAddress(): WalletAddress & { readonly writes: readonly StoreWrite[] } {
    if (this.addressesLeft <= 0) return { ...this.#addressAt(this.#next), writes: [] };
    const taken = this.#addressAt(this.#next);
    this.#next += 1;
    this.#shown = this.#next;
    // Keys that are new to a wallet in use have received nothing yet.
    this.#extend(this.#tip);
    return { ...taken, writes: this.#nextWrites() };
  }

  /** To promise to a peer: one that came back, or the one to show. */
  get addressToPromise(): WalletAddress {
    const [returned] = this.#returned;
    return returned === undefined ? this.address : this.#addressAt(returned);
  }

  /** The address was promised to a peer, and is not shown to others; `writes` must be durable before it is counted on. */
  taken(script: Uint8Array): readonly StoreWrite[] {
    const index = this.#indexes.get(toHex(script));
    if (index !== undefined && this.#returned.delete(index)) return [];
    return index === this.#next ? this.takeAddress().writes : [];
  }

  /** Nothing will come of that promise: the address is another peer's to have. */
  giveBack(script: Uint8Array): void {
    const index = this.#indexes.get(toHex(script));
    if (index !== undefined && index < this.#next) this.#returned.add(index);
  }

  /** Passes over addresses that may have been handed out unknown to these records: they are looked for, and not shown again. */
  skipAddresses(count: number): void {
    this.#next = Math.min(this.#next + count, walletAddressesMax);
    this.#extend(this.#birthHeight);
  }

  get balance(): WalletBalance {
    let confirmedSat = 0n;
    let unconfirmedSat = 0n;
    for (const coin of this.#coins.values()) {
      if (coin.spentBy !== undefined) continue;
      if (coin.height === undefined) unconfirmedSat += coin.valueSat;
      else confirmedSat += coin.valueSat;
    }
    return { confirmedSat, unconfirmedSat };
  }

  get coins(): readonly WalletCoin[] {
    return [...this.#coins.values()];
  }

  /**
   * A signed transaction with one output of `valueSat` to `script`, and change. Its coins are reserved until
   * `release`; its change is spent once it is adopted, when it is sent. One transaction never funds two channels, since that would
   * show them to have one owner.
   */
  fund(script: Uint8Array, valueSat: bigint, satPerKvb: bigint): Result<FundedContract> {
    const choice = this.#choose(valueSat, satPerKvb);
    if (choice === undefined) {
      const { confirmedSat, unconfirmedSat } = this.balance;
      return fail('WALLET_NO_FUNDS', `has ${confirmedSat + unconfirmedSat} sat, needs ${valueSat} and fees`);
    }
    const { transaction, writes } = this.#build(script, valueSat, choice);
    this.adopt(transaction);
    this.#unsent.add(toHex(transaction.getHash()));
    const outpoint = { txid: transaction.getHash(), index: 0 };
    return ok({ transaction, outpoint, feeSat: choice.feeSat, writes });
  }

  /** What `fund` would leave to the miner; undefined: the wallet has not as much. */
  feeToPay(valueSat: bigint, satPerKvb: bigint): bigint | undefined {
    return this.#choose(valueSat, satPerKvb)?.feeSat;
  }

  #choose(valueSat: bigint, satPerKvb: bigint): Choice<WalletCoin> | undefined {
    const free = this.coins.filter(coin => {
      return coin.spentBy === undefined && this.#isDeep(coin) && !this.#unsent.has(toHex(coin.outpoint.txid));
    });
    return chooseCoins(free, valueSat, satPerKvb);
  }

  /** What others paid may be taken back, and with it whatever spends it; own change cannot. */
  #isDeep({ own, height = 0 }: WalletCoin): boolean {
    return own || this.#minConfirmations <= 1 || this.#tip - height + 1 >= this.#minConfirmations;
  }

  /** Takes note of an own transaction that is sent: its inputs are spent, its change is ours. At start, for those still unconfirmed. */
  adopt(transaction: Transaction): void {
    const id = toHex(transaction.getHash());
    this.#unsent.delete(id);
    for (const input of transaction.ins) {
      const coin = this.#coins.get(outpointKey({ txid: input.hash, index: input.index }));
      if (coin !== undefined && coin.spentHeight === undefined) coin.spentBy = id;
      this.#adopted.set(outpointKey({ txid: input.hash, index: input.index }), id);
    }
    transaction.outs.forEach((output, index) => {
      const addressIndex = this.#indexes.get(toHex(output.script));
      if (addressIndex === undefined) return;
      const outpoint = { txid: transaction.getHash(), index };
      if (this.#coins.has(outpointKey(outpoint))) return;
      this.#add({ outpoint, valueSat: output.value, addressIndex, own: true, height: undefined });
    });
  }

  /** The transaction will never be sent: its coins are free again, its change is void. */
  release(transaction: Transaction): void {
    const id = toHex(transaction.getHash());
    this.#unsent.delete(id);
    for (const input of transaction.ins) {
      const key = outpointKey({ txid: input.hash, index: input.index });
      if (this.#adopted.get(key) !== id) continue;
      this.#adopted.delete(key);
      const coin = this.#coins.get(key);
      if (coin !== undefined && coin.spentHeight === undefined) coin.spentBy = undefined;
    }
    for (const [key, coin] of this.#coins) {
      if (coin.height === undefined && toHex(coin.outpoint.txid) === id) this.#coins.delete(key);
    }
  }

  /** The smallest confirmed free coin of at least `valueSat`: a reserve that pays for a bump. */
  reserveCoin(valueSat: bigint): SpendableCoin | undefined {
    const fit = this.coins.filter(
      coin => coin.spentBy === undefined && coin.height !== undefined && coin.valueSat >= valueSat,
    );
    fit.sort((a, b) => (a.valueSat < b.valueSat ? -1 : a.valueSat > b.valueSat ? 1 : 0));
    return fit[0] && this.#spendable(fit[0]);
  }

  /** Outputs of own transactions, by their hex ids, that no block has and nothing spends: what a child of theirs can spend. */
  loose(ids: ReadonlySet<string>): readonly SpendableCoin[] {
    const free = this.coins.filter(({ height, spentBy }) => height === undefined && spentBy === undefined);
    return free.filter(({ outpoint }) => ids.has(toHex(outpoint.txid))).map(coin => this.#spendable(coin));
  }

  /** What an own transaction leaves to the miner; undefined where it spends a coin that is not known any more. */
  feeSatOf(transaction: Transaction): bigint | undefined {
    let sat = -transaction.outs.reduce((sum, { value }) => sum + value, 0n);
    for (const { hash, index } of transaction.ins) {
      const coin = this.#coins.get(outpointKey({ txid: hash, index }));
      if (coin === undefined) return undefined;
      sat += coin.valueSat;
    }
    return sat;
  }

  /** True for a coin in a block that nothing spends but that own transaction. */
  isReservedFor(transaction: Transaction, outpoint: Outpoint): boolean {
    const coin = this.#coins.get(outpointKey(outpoint));
    return coin?.height !== undefined && coin.spentBy === toHex(transaction.getHash());
  }

  /** True for a coin that is this wallet's, or was until not long ago. */
  has(outpoint: Outpoint): boolean {
    return this.#coins.has(outpointKey(outpoint));
  }

  /**
   * True for a coin at an address that nobody can have been shown by a wallet with these records. While past blocks are looked
   * through, addresses that received do not count as shown: the coins there may have come while nobody looked.
   */
  neverShown(script: Uint8Array): boolean {
    const index = this.#indexes.get(toHex(script));
    return index !== undefined && index > this.#shown;
  }

  /** How many addresses were handed out or have received, where the store has fewer. */
  unkeptWrites(): readonly StoreWrite[] {
    return this.#next === this.#keptNext ? [] : this.#nextWrites();
  }

  /** The key of an own address. */
  keyOf(script: Uint8Array): KeyPair | undefined {
    const index = this.#indexes.get(toHex(script));
    return index === undefined ? undefined : this.#keyAt(index);
  }

  onChain(event: ChainEvent): void {
    if (event.kind === 'block' || event.kind === 'reorg') this.#tip = event.height;
    if (event.kind === 'block') this.#onBlock(event.height);
    if (event.kind === 'paid') this.#onPaid(event.script, event.outpoint, event.valueSat, event.height);
    if (event.kind === 'spent') {
      const coin = this.#coins.get(outpointKey(event.outpoint));
      if (coin === undefined) return;
      coin.spentHeight = event.height;
      coin.spentBy = toHex(Transaction.fromBuffer(event.transaction).getHash());
    }
    if (event.kind === 'reorg') this.#onReorg(event.height);
  }

  #onBlock(height: number): void {
    this.#shown = this.#next;
    for (const [key, { spentHeight }] of this.#coins) {
      if (spentHeight === undefined || height - spentHeight < spentCoinBlocks) continue;
      this.#forgottenHeight = Math.max(this.#forgottenHeight, spentHeight);
      this.#coins.delete(key);
      this.#adopted.delete(key);
    }
  }

  #onPaid(script: Uint8Array, outpoint: Outpoint, valueSat: bigint, height: number): void {
    const addressIndex = this.#indexes.get(toHex(script));
    if (addressIndex === undefined) return;
    const known = this.#coins.get(outpointKey(outpoint));
    if (known !== undefined) known.height = height;
    else this.#add({ outpoint, valueSat, addressIndex, own: this.#spentOurs(outpoint.txid), height });
    // An address that received is not shown again; after a restore from the seed this finds all that were used.
    if (addressIndex >= this.#next) {
      this.#next = addressIndex + 1;
      this.#extend(height < this.#tip ? this.#birthHeight : height);
    }
  }

  /** Only we can have made that transaction, perhaps before a restart. */
  #spentOurs(txid: Uint8Array): boolean {
    const id = toHex(txid);
    for (const { spentBy } of this.#coins.values()) if (spentBy === id) return true;
    return false;
  }

  /** Blocks above `height` are void: what they held waits, what they spent is free unless we spent it. */
  #onReorg(height: number): void {
    if (height < this.#forgottenHeight) this.#lookThroughChain();
    this.#forgottenHeight = Math.min(this.#forgottenHeight, height);
    for (const [key, coin] of this.#coins) {
      if (coin.spentHeight !== undefined && coin.spentHeight > height) {
        coin.spentHeight = undefined;
        coin.spentBy = this.#adopted.get(key);
      }
      if (coin.height === undefined || coin.height <= height) continue;
      // What others paid us may never come back.
      if (coin.own) coin.height = undefined;
      else this.#coins.delete(key);
    }
  }

  #add(coin: Pick<WalletCoin, 'outpoint' | 'valueSat' | 'addressIndex' | 'own' | 'height'>): void {
    const key = outpointKey(coin.outpoint);
    this.#coins.set(key, { ...coin, spentBy: this.#adopted.get(key), spentHeight: undefined });
  }

  #build(
    script: Uint8Array,
    valueSat: bigint,
    choice: Choice<WalletCoin>,
  ): { transaction: Transaction; writes: readonly StoreWrite[] } {
    const transaction = new Transaction();
    transaction.version = 2;
    for (const { outpoint } of choice.coins) transaction.addInput(outpoint.txid, outpoint.index);
    const meant: MeantOutput[] = [{ script, valueSat }];
    let writes: readonly StoreWrite[] = [];
    if (choice.changeSat >= dustSat) {
      const change = this.takeAddress();
      meant.push({ script: change.script, valueSat: choice.changeSat });
      writes = change.writes;
    }
    for (const output of meant) transaction.addOutput(output.script, output.valueSat);
    choice.coins.forEach((coin, index) => {
      signCoinInput(transaction, index, this.#spendable(coin));
    });
    assertPays(transaction, meant);
    return { transaction, writes };
  }

  #spendable({ outpoint, valueSat, addressIndex }: WalletCoin): SpendableCoin {
    return { outpoint, valueSat, key: this.#keyAt(addressIndex) };
  }

  /** Keys exist a gap beyond the last address handed out, so that a restored wallet finds its coins. */
  #extend(fromHeight: number): void {
    while (this.#scripts.length < this.#next + walletAddressGap) {
      const index = this.#scripts.length;
      const script = keyOutputScript(this.#keyAt(index).publicKey);
      this.#scripts.push(script);
      this.#indexes.set(toHex(script), index);
      this.#chain?.watch(script, fromHeight);
    }
  }

  #addressAt(index: number): WalletAddress {
    const script = this.#scripts[index];
    return { index, script, address: addressOfScript(script) };
  }

  #keyAt(index: number): KeyPair {
    return this.#branch.child(index).keyPair();
  }

  #durableNext(): number {
    const record = this.#store.get(`${this.#prefix}next`);
    return record === undefined ? 0 : new ByteReader(record).u32();
  }

  #nextWrites(): readonly StoreWrite[] {
    this.#keptNext = this.#next;
    return [{ key: `${this.#prefix}next`, value: new ByteWriter().u32(this.#next).finish() }];
  }
}

/** The regtest address of an output script that has one. */
export function addressOfScript(script: Uint8Array): string {
  return addressCodec.fromOutputScript(script, networks.regtest);
}

/** spec: bip-0173: the longest there is; base58 takes long to read what is longer. */
const addressCharactersMax = 90;

/** The output script of an address of the regtest network, or undefined. */
export function scriptOfAddress(text: string): Uint8Array | undefined {
  if (text.length > addressCharactersMax) return undefined;
  try {
    return addressCodec.toOutputScript(text, networks.regtest);
  } catch {
    return undefined;
  }
}
