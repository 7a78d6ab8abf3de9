import { Transaction } from 'bitcoinjs-lib';
import { bitcoinOf, type RpcCall, RpcFault, satoshiOf } from '../regtest/bitcoind-rpc.ts';
import { toHex } from '../src/base/bytes.ts';
import { regtestRules } from '../src/bitcoin/channel-rules.ts';
import { childFeeSat, childVersion, unsignedChild } from '../src/bitcoin/child-tx.ts';
import { outpointBytes, txidText } from '../src/bitcoin/outpoint.ts';
import { anchorSat, anchorScript } from '../src/bitcoin/payment-tx.ts';
import type { WatchOrder } from '../src/schemes/bitcoin-channel/index.ts';

interface Unspent {
  readonly txid: string;
  readonly vout: number;
  readonly amount: number | string;
}

/** As bitcoind answers `gettxspendingprevout`. */
interface Spending {
  readonly spendingtxid?: string;
}

/** As bitcoind answers `submitpackage`. */
interface OfferedPackage {
  readonly package_msg: string;
  readonly 'tx-results': Readonly<Record<string, { readonly error?: string }>>;
}

interface Child {
  readonly transaction: Transaction;
  readonly feeSat: bigint;
}

/** Room for the child's change above what it pays. */
const changeSatMin = 300n;
const feerateFloor = 2_000n;

/**
 * Raises fees of settlements from a wallet of the tower's own bitcoind: anybody may spend the anchor. What all children
 * that wait pay together stays below a cap.
 */
export class TowerFees {
  readonly #rpc: RpcCall;
  readonly #wallet: RpcCall;
  readonly #feeSatMax: bigint;
  /** By contract. */
  readonly #children = new Map<string, Child>();
  /** What a child of it paid last, or would have paid, had the chain taken it; and at which height that was. */
  readonly #tried = new Map<string, { readonly feeSat: bigint; readonly height: number }>();

  constructor(rpc: RpcCall, wallet: RpcCall, feeSatMax: bigint) {
    this.#rpc = rpc;
    this.#wallet = wallet;
    this.#feeSatMax = feeSatMax;
  }

  /** The contract is spent in a block, so that its child costs nothing more. */
  release(contract: string): void {
    this.#children.delete(contract);
    this.#tried.delete(contract);
  }

  /**
   * Offers the settlement with a child that lifts both to the feerate of the day, and pays twice as much with each block that
   * leaves it out, or was mined while somebody else's child kept ours out: few are left until T. Undefined: nothing is to be raised (any
   * more: `isDue`), or a newer block decides; otherwise what the child pays, in satoshi, or why none could be made.
   */
  async raise(
    contract: string,
    order: WatchOrder,
    blocksWaited: number,
    isDue: () => boolean,
  ): Promise<bigint | string | undefined> {
    const raised = await this.#attempt(contract, order, blocksWaited, isDue).catch(
      (error: Error) => `bitcoind: ${error.message}`,
    );
    // A newer block may be why it failed; if it has no settlement in it, it calls for this again.
    const outdated = typeof raised === 'string' && (await this.#isHigher(order.actHeight + blocksWaited));
    return outdated ? undefined : raised;
  }

  async #attempt(
    contract: string,
    order: WatchOrder,
    blocksWaited: number,
    isDue: () => boolean,
  ): Promise<bigint | string | undefined> {
    const parent = Transaction.fromBuffer(order.transaction);
    const index = parent.outs.findIndex(({ script }) => Buffer.compare(script, anchorScript) === 0);
    if (index < 0) return undefined;
    const outSat = parent.outs.reduce((sum, { value }) => sum + value, 0n);
    const left = await this.#findLeft();
    const known = this.#children.get(contract) ?? left.get(parent.getId());
    if (known !== undefined) this.#children.set(contract, known);
    const feerate = {
      parentVsize: BigInt(parent.virtualSize()),
      parentFeeSat: order.capacitySat - outSat,
      satPerKvb:
        (await this.#feerate()) << BigInt(Math.floor(blocksWaited / regtestRules.bumpDoublingBlocks)),
      feeSatMin: 0n,
    };
    const height = order.actHeight + blocksWaited;
    const tried = this.#tried.get(contract);
    const needed = childFeeSat(feerate);
    const passedBy = tried !== undefined && tried.height < height;
    const wanted = most(needed, passedBy ? 2n * tried.feeSat : 0n);
    // A later child must pay for its own bytes too (BIP125, rule 4).
    const replaces = BigInt(known?.transaction.virtualSize() ?? 0);
    // One that costs more than it saves is no gain, and stands in the way of others below the cap.
    const enough = least(needed + replaces, order.paidSat);
    const mayPay = this.#feeSatMax - this.#othersSat(contract, left);
    // The block that called for it may have the settlement in it.
    if (enough <= 0n || !isDue() || (await this.#isNoUse(parent))) return undefined;
    const isEnough = known !== undefined && needed <= known.feeSat;
    if (!isEnough && enough > mayPay)
      return `it takes ${enough} sat, beyond the ${this.#feeSatMax} that all together may`;
    const feeSat = least(least(wanted + replaces, order.paidSat), mayPay);
    if (known !== undefined && (wanted <= known.feeSat || feeSat < known.feeSat + replaces)) {
      this.#tried.set(contract, { feeSat: known.feeSat, height });
      return this.#offer(parent, known.transaction);
    }
    const child = await this.#child(parent, index, { ...feerate, satPerKvb: 0n, feeSatMin: feeSat }, known);
    if (child === undefined && known !== undefined) await this.#offer(parent, known.transaction);
    if (child === undefined) return `the wallet has no confirmed coin of ${feeSat + changeSatMin} sat`;
    this.#tried.set(contract, { feeSat, height });
    const refused = await this.#offer(parent, child);
    if (refused !== undefined) return refused;
    if (isDue()) this.#children.set(contract, { transaction: child, feeSat });
    return feeSat;
  }

  /**
   * No block has the contract, or one has spent it; or a settlement that pays more waits in the mempool already, which an older one
   * would drive out with a child.
   */
  async #isNoUse(parent: Transaction): Promise<boolean> {
    const { hash, index } = parent.ins[0];
    const contract = { txid: txidText(hash), vout: index };
    if ((await this.#rpc('gettxout', contract.txid, index, false)) === null) return true;
    const [spending] = await this.#rpc<readonly Spending[]>('gettxspendingprevout', [contract]);
    if (spending.spendingtxid === undefined || spending.spendingtxid === parent.getId()) return false;
    const rival = Transaction.fromHex(await this.#rpc<string>('getrawtransaction', spending.spendingtxid));
    return payeeSatOf(rival, parent.outs[0].script) > parent.outs[0].value;
  }

  /**
   * Children that an earlier run of the tower left in the mempool, by the settlement that they raise. What waits in no mempool
   * any more costs nothing, and stands in nobody's way.
   */
  async #findLeft(): Promise<Map<string, Child>> {
    const left = new Map<string, Child>();
    const known = new Set([...this.#children.values()].map(({ transaction }) => transaction.getId()));
    for (const { txid } of await this.#wallet<readonly Unspent[]>('listunspent', 0, 0)) {
      const child = known.has(txid) ? undefined : await this.#childInMempool(txid);
      if (child !== undefined) left.set(txidText(child.transaction.ins[0].hash), child);
    }
    return left;
  }

  /** Undefined: no child of ours, or a block has it by now. */
  async #childInMempool(txid: string): Promise<Child | undefined> {
    try {
      const transaction = Transaction.fromHex(await this.#rpc<string>('getrawtransaction', txid));
      const { fees } = await this.#rpc<{ fees: { base: number } }>('getmempoolentry', txid);
      return isChild(transaction) ? { transaction, feeSat: satoshiOf(fees.base) } : undefined;
    } catch (error) {
      if (error instanceof RpcFault) return undefined;
      throw error;
    }
  }

  /** What the children of other settlements pay that wait for a block. */
  #othersSat(contract: string, left: ReadonlyMap<string, Child>): bigint {
    const others = [...this.#children].filter(([of]) => of !== contract).map(([, child]) => child);
    const known = this.#children.get(contract);
    const unclaimed = [...left.values()].filter(child => child !== known);
    return [...others, ...unclaimed].reduce((sum, { feeSat }) => sum + feeSat, 0n);
  }

  async #feerate(): Promise<bigint> {
    const { mempoolminfee, incrementalrelayfee } = await this.#rpc<Record<string, number>>('getmempoolinfo');
    const { feerate } = await this.#rpc<{ feerate?: number }>('estimatesmartfee', 2);
    // What comes in at a full mempool's very minimum is the next to be thrown out.
    const rates = [satoshiOf(mempoolminfee) + satoshiOf(incrementalrelayfee), satoshiOf(feerate ?? 0)];
    return rates.reduce((highest, rate) => (rate > highest ? rate : highest), feerateFloor);
  }

  async #child(
    parent: Transaction,
    index: number,
    fee: Pick<
      Parameters<typeof unsignedChild>[0],
      'parentVsize' | 'parentFeeSat' | 'satPerKvb' | 'feeSatMin'
    >,
    known: Child | undefined,
  ): Promise<Transaction | undefined> {
    const coin = await this.#coin(fee.feeSatMin + changeSatMin, known);
    if (coin === undefined) return undefined;
    const address = await this.#wallet<string>('getrawchangeaddress', 'bech32');
    const { scriptPubKey } = await this.#rpc<{ scriptPubKey: string }>('validateaddress', address);
    const anchor = { txid: parent.getHash(), index };
    const child = unsignedChild({ ...fee, anchor, coin, changeScript: Buffer.from(scriptPubKey, 'hex') });
    if (child === undefined) return undefined;
    const anchorOutput = {
      txid: txidText(anchor.txid),
      vout: index,
      scriptPubKey: toHex(anchorScript),
      amount: bitcoinOf(anchorSat),
    };
    const signed = await this.#wallet<{ hex: string }>('signrawtransactionwithwallet', child.toHex(), [
      anchorOutput,
    ]);
    return Transaction.fromHex(signed.hex);
  }

  /** Of the earlier child, or the smallest confirmed one that is in no other child: more unconfirmed parents are not taken. */
  async #coin(leastSat: bigint, known: Child | undefined) {
    const unspent = await this.#wallet<readonly Unspent[]>('listunspent', 1);
    const used = new Set([...this.#children.values()].map(({ transaction }) => coinOf(transaction)));
    const coins = unspent
      .map(({ txid, vout, amount }) => ({
        outpoint: { txid: Buffer.from(txid, 'hex').reverse(), index: vout },
        valueSat: satoshiOf(amount),
      }))
      .filter(coin => coin.valueSat >= leastSat && !used.has(toHex(outpointBytes(coin.outpoint))));
    const again = known && coinAgain(known);
    if (again !== undefined && again.valueSat >= leastSat) return again;
    return coins.sort((a, b) => Number(a.valueSat - b.valueSat))[0];
  }

  /** Undefined, or why the chain takes neither. */
  async #offer(parent: Transaction, child: Transaction): Promise<string | undefined> {
    const offered = await this.#rpc<OfferedPackage>('submitpackage', [parent.toHex(), child.toHex()]);
    if (offered.package_msg === 'success') return undefined;
    const errors = Object.values(offered['tx-results']).flatMap(({ error }) => error ?? []);
    return `bitcoind: submitpackage: ${[offered.package_msg, ...errors].join(', ')}`;
  }

  async #isHigher(height: number): Promise<boolean> {
    const tip = this.#rpc<number>('getblockcount');
    return tip.then(
      now => now > height,
      () => false,
    );
  }
}

function payeeSatOf({ outs }: Transaction, payoutScript: Uint8Array): bigint {
  return outs.find(({ script }) => Buffer.compare(script, payoutScript) === 0)?.value ?? 0n;
}

function most(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** As `unsignedChild` makes them. */
function isChild({ version, ins, outs }: Transaction): boolean {
  return version === childVersion && ins.length === 2 && outs.length === 1;
}

function coinOf(child: Transaction): string {
  const { hash, index } = child.ins[1];
  return toHex(outpointBytes({ txid: hash, index }));
}

/** The coin of a child that is to be replaced; the wallet shows it as spent. */
function coinAgain({ transaction, feeSat }: Child) {
  const { hash, index } = transaction.ins[1];
  return { outpoint: { txid: hash, index }, valueSat: transaction.outs[0].value + feeSat - anchorSat };
}
