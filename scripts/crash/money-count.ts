import { type RpcCall, satoshiOf } from '../../regtest/bitcoind-rpc.ts';
import { readFileStore } from '../../src/node-io/file-store.ts';
import { watchedScripts } from '../../src/schemes/bitcoin-channel/index.ts';
import type { Party } from './crash-points.ts';

/** Where the records of a party's wallet are. */
export interface Purse {
  readonly party: Party;
  readonly directory: string;
}

/** Pay-to-anchor, which anybody may spend. */
const anchorScript = '51024e73';

interface Transaction {
  readonly txid: string;
  readonly vin: readonly { readonly txid?: string; readonly vout?: number }[];
  readonly vout: readonly {
    readonly n: number;
    readonly value: number;
    readonly scriptPubKey: { readonly hex: string; readonly type: string; readonly address?: string };
  }[];
}

interface Coin {
  readonly sat: bigint;
  readonly script: string;
}

interface OwnCoin extends Coin {
  readonly party: Party;
}

/** What became of the coins of both parties, by what is in blocks alone; satoshi. */
export interface Counted {
  /** What the keys in the party's own records can spend. */
  readonly held: Readonly<Record<Party, bigint>>;
  readonly before: Readonly<Record<Party, bigint>>;
  readonly given: bigint;
  /** To miners, and to anchors that nobody has spent. */
  readonly fees: bigint;
  readonly contracts: readonly { readonly name: string; readonly sat: bigint }[];
  /** Of these, those that nothing has spent. */
  readonly unspent: readonly string[];
  /** In outputs that belong to nobody. */
  readonly lost: bigint;
  /** What the relay spent of its own to have settlements confirmed. */
  readonly childFees: bigint;
  /** What the client spent beside what went into contracts. */
  readonly clientFees: bigint;
}

/**
 * Counts the money of both parties without asking them: which coins are theirs says bitcoind, from the descriptors of
 * their wallets; where their coins went says every block since.
 */
export class MoneyCount {
  readonly #rpc: () => RpcCall;
  readonly #purses: () => readonly Purse[];
  readonly #fromHeight: number;
  readonly #before: ReadonlyMap<string, OwnCoin>;
  readonly #gifts = new Map<string, string>();

  private constructor(
    rpc: () => RpcCall,
    purses: () => readonly Purse[],
    fromHeight: number,
    before: ReadonlyMap<string, OwnCoin>,
  ) {
    this.#rpc = rpc;
    this.#purses = purses;
    this.#fromHeight = fromHeight;
    this.#before = before;
  }

  /** Begins with what the parties have now, which is on the disk of bitcoind from then on. */
  static async begin(rpc: () => RpcCall, purses: () => readonly Purse[]): Promise<MoneyCount> {
    const fromHeight = await rpc()<number>('getblockcount');
    return new MoneyCount(rpc, purses, fromHeight, await coinsOf(rpc(), purses()));
  }

  get fromHeight(): number {
    return this.#fromHeight;
  }

  /** What both had together when it began. */
  get totalSat(): bigint {
    return sumOf([...this.#before.values()]);
  }

  /** Somebody else pays a party at that address. */
  gift(txid: string, address: string): void {
    this.#gifts.set(txid, address);
  }

  async now(): Promise<Counted> {
    const owned = await coinsOf(this.#rpc(), this.#purses());
    const walk = new CoinWalk(this.#before, this.#gifts);
    const tip = await this.#rpc()<number>('getblockcount');
    for (let height = this.#fromHeight + 1; height <= tip; height++) {
      const hash = await this.#rpc()<string>('getblockhash', height);
      const { tx } = await this.#rpc()<{ tx: readonly Transaction[] }>('getblock', hash, 2);
      for (const each of tx) walk.take(each);
    }
    return walk.counted(owned);
  }
}

/** Follows coins from transaction to transaction, in the order of the chain. */
class CoinWalk {
  readonly #coins: Map<string, Coin>;
  readonly #before: ReadonlyMap<string, OwnCoin>;
  /** Address by transaction. */
  readonly #gifts: ReadonlyMap<string, string>;
  readonly #contracts = new Map<string, bigint>();
  #given = 0n;
  #fees = 0n;
  #childFees = 0n;
  #clientFees = 0n;

  constructor(before: ReadonlyMap<string, OwnCoin>, gifts: ReadonlyMap<string, string>) {
    this.#before = before;
    this.#coins = new Map(before);
    this.#gifts = gifts;
  }

  take({ txid, vin, vout }: Transaction): void {
    const names = vin.map(input => `${input.txid}:${input.vout}`).filter(name => this.#coins.has(name));
    const outputs = vout.map(({ n, value, scriptPubKey }) => {
      const { hex: script, type, address } = scriptPubKey;
      return { name: `${txid}:${n}`, sat: satoshiOf(value), script, type, address };
    });
    if (names.length === 0) {
      const given = outputs.filter(
        ({ address }) => address !== undefined && address === this.#gifts.get(txid),
      );
      for (const { name, sat, script } of given) {
        this.#coins.set(name, { sat, script });
        this.#given += sat;
      }
      return;
    }
    const foreign = vin.map(input => `${input.txid}:${input.vout}`).filter(name => !this.#coins.has(name));
    if (foreign.length > 0)
      throw new Error(`${txid} spends ${foreign.join()} of others besides ${names.join()}`);
    const spent = names.map(name => this.#coins.get(name) as Coin);
    const settles = names.some(name => this.#contracts.has(name));
    for (const name of names) this.#coins.delete(name);
    for (const { name, sat, script } of outputs) this.#coins.set(name, { sat, script });
    const funded = outputs.filter(({ type }) => type === 'witness_v0_scripthash');
    for (const { name, sat } of funded) this.#contracts.set(name, sat);
    const fee = sumOf(spent) - sumOf(outputs);
    this.#fees += fee;
    if (settles) return;
    const anchors = spent.filter(({ script }) => script === anchorScript);
    // Only a settlement's child spends an anchor, and brings back what is in it.
    if (anchors.length > 0) this.#childFees += fee - sumOf(anchors);
    else this.#clientFees += fee;
  }

  counted(owned: ReadonlyMap<string, OwnCoin>): Counted {
    const rest = [...this.#coins].filter(([name]) => !owned.has(name));
    const anchors = rest.filter(([, { script }]) => script === anchorScript).map(([, coin]) => coin);
    const unspent = rest.map(([name]) => name).filter(name => this.#contracts.has(name));
    const held = rest.map(([, coin]) => coin);
    return {
      held: byParty(owned),
      before: byParty(this.#before),
      given: this.#given,
      fees: this.#fees + sumOf(anchors),
      contracts: [...this.#contracts].map(([name, sat]) => ({ name, sat })),
      unspent,
      lost: sumOf(held) - sumOf(anchors),
      childFees: this.#childFees,
      clientFees: this.#clientFees,
    };
  }
}

function sumOf(coins: readonly { readonly sat: bigint }[]): bigint {
  return coins.reduce((sum, { sat }) => sum + sat, 0n);
}

function byParty(coins: ReadonlyMap<string, OwnCoin>): Record<Party, bigint> {
  const of = (wanted: Party) => sumOf([...coins.values()].filter(({ party }) => party === wanted));
  return { relay: of('relay'), client: of('client') };
}

interface Scan {
  readonly success: boolean;
  readonly unspents: readonly {
    readonly txid: string;
    readonly vout: number;
    readonly amount: number;
    readonly scriptPubKey: string;
  }[];
}

/** All coins that the wallets in these purses can spend, in blocks; bitcoind finds them. */
async function coinsOf(rpc: RpcCall, purses: readonly Purse[]): Promise<ReadonlyMap<string, OwnCoin>> {
  const coins = new Map<string, OwnCoin>();
  for (const { party, directory } of purses) {
    const records = readFileStore(directory);
    const wallets = watchedScripts(records, false).filter(({ what }) => what === 'wallet');
    await records.close();
    if (wallets.length === 0) continue;
    const { unspents } = await rpc<Scan>(
      'scantxoutset',
      'start',
      wallets.map(({ descriptor, range }) => ({ desc: descriptor, range })),
    );
    for (const { txid, vout, amount, scriptPubKey } of unspents)
      coins.set(`${txid}:${vout}`, { party, sat: satoshiOf(amount), script: scriptPubKey });
  }
  return coins;
}
