import { toHex } from '../base/bytes.ts';
import type { ChainEvent, Outpoint } from '../ports.ts';
import { BitcoindRpcError, satoshiOfBitcoin } from './bitcoind-rpc-client.ts';

type Call = <T>(method: string, parameters: readonly unknown[], timeoutMs?: number) => Promise<T>;

interface Tip {
  /** In bitcoind's spelling. */
  readonly hash: string;
  readonly height: number;
}

interface Header {
  readonly height: number;
  readonly previousblockhash?: string;
}

interface Block {
  readonly tx: readonly {
    readonly txid: string;
    readonly hex: string;
    /** That of a coinbase has no transaction that it spends. */
    readonly vin: readonly { readonly txid?: string; readonly vout?: number }[];
    readonly vout: readonly { readonly value: number; readonly scriptPubKey: { readonly hex: string } }[];
  }[];
}

interface Watched {
  readonly script: Uint8Array;
  /** What pays it, as TXID:INDEX. */
  readonly outputs: string[];
}

type Paid = Extract<ChainEvent, { kind: 'paid' }>;

/** Confirmations from which on a block may spend a coinbase. Source: consensus/consensus.h. */
export const coinbaseMaturity = 100;
/** How long one long poll lasts. */
const pollMs = 10_000;
/** Without the tip's hash in the poll, a block of equal height would go unseen until its end. */
const shortPollMs = 2_000;
/** Hashes kept below the tip, to see where a reorganisation forked. */
const hashesKept = 1_000;
const hashesAtStart = 100;
const parallelBlocks = 4;

/** Turns what bitcoind says of its best chain into news. */
export class BlockFollower {
  readonly #call: Call;
  readonly #poll: Call;
  readonly #tell: (event: ChainEvent) => void;
  /** Hash in bitcoind's spelling, by height. */
  #hashes = new Map<number, string>();
  /** By script in hex. */
  #watched = new Map<string, Watched>();
  /** Outputs that pay a watched script, as TXID:INDEX, so that their spending is seen. */
  #outputs = new Map<string, Outpoint>();
  /** Scripts to be looked for in past blocks, and from which height. */
  #toScan = new Map<string, number>();
  /** What coinbases paid to watched scripts, by TXID:INDEX, as it is told once it may be spent. */
  #unripe = new Map<string, Paid>();
  #tip: Tip | undefined;
  /** A block has been told. */
  #begun = false;
  #pollsByHash = true;
  /** The long poll under way; it outlives a wait that a new script ended. */
  #polling: Promise<unknown> | undefined;
  #wake = (): void => {};

  /** @param poll carries the long polls, on a connection of their own. */
  constructor(call: Call, poll: Call, tell: (event: ChainEvent) => void) {
    this.#call = call;
    this.#poll = poll;
    this.#tell = tell;
  }

  watch(script: Uint8Array, fromHeight: number): void {
    const key = toHex(script);
    if (!this.#watched.has(key)) this.#watched.set(key, { script, outputs: [] });
    this.#toScan.set(key, Math.min(fromHeight, this.#toScan.get(key) ?? fromHeight));
    this.#wake();
  }

  unwatch(script: Uint8Array): void {
    const key = toHex(script);
    for (const output of this.#watched.get(key)?.outputs ?? []) {
      this.#outputs.delete(output);
      this.#unripe.delete(output);
    }
    this.#watched.delete(key);
    this.#toScan.delete(key);
  }

  /** Tells what is new, then waits a while for more. After a failure it can be called again. */
  async next(): Promise<void> {
    // Past blocks may not be had for long: what falls due meanwhile does not wait for them.
    const tip = (this.#begun ? this.#tip : undefined) ?? (await this.#begin());
    // Before any block: who hears of one takes for granted what past blocks have told.
    await this.#scan(tip.height);
    if (!this.#begun) this.#tell({ kind: 'block', height: tip.height, hash: hashBytes(tip.hash) });
    this.#begun = true;
    await this.#catchUp(tip);
    await this.#waitForNews(this.#tip ?? tip);
  }

  /** Tells how high the chain is, if it is another than before. */
  async #begin(): Promise<Tip> {
    const hash = await this.#call<string>('getbestblockhash', []);
    if (this.#tip?.hash === hash) return this.#tip;
    const height = await this.#heightOf(hash);
    this.#hashes.clear();
    for (let at = Math.max(0, height - hashesAtStart); at < height; at++) {
      this.#hashes.set(at, await this.#call<string>('getblockhash', [at]));
    }
    // If the chain moved while it was read, the next round sorts it out.
    this.#hashes.set(height, hash);
    this.#tip = { hash, height };
    this.#tell({ kind: 'tip', height });
    return this.#tip;
  }

  /** Walks back from the best block to one that is known, then tells what follows it. */
  async #catchUp(from: Tip): Promise<void> {
    const best = await this.#call<string>('getbestblockhash', []);
    if (best === from.hash) return;
    const path = await this.#pathTo(best);
    const forkHeight = path.length === 0 ? await this.#heightOf(best) : path[0].height - 1;
    if (forkHeight < from.height) {
      for (const height of [...this.#hashes.keys()]) if (height > forkHeight) this.#hashes.delete(height);
      for (const [name, { height }] of this.#unripe)
        if (height - coinbaseMaturity + 1 > forkHeight) this.#unripe.delete(name);
      this.#tip = { hash: this.#hashes.get(forkHeight) ?? '', height: forkHeight };
      this.#tell({ kind: 'reorg', height: forkHeight });
    }
    for (const tip of path) {
      const block = await this.#call<Block>('getblock', [tip.hash, 2]);
      // Read to its end before it counts as told: the money in a block that cannot be read would never be heard of.
      const money: ChainEvent[] = [];
      this.#moneyIn(
        block,
        tip.height,
        () => true,
        event => {
          if (event.height === tip.height) money.push(event);
        },
      );
      this.#hashes.set(tip.height, tip.hash);
      this.#hashes.delete(tip.height - hashesKept);
      this.#tip = tip;
      this.#tell({ kind: 'block', height: tip.height, hash: hashBytes(tip.hash) });
      for (const event of [...money, ...this.#ripeAt(tip.height)]) this.#tell(event);
    }
  }

  /** Kept as long as a reorganisation may have it told again. */
  #ripeAt(height: number): readonly Paid[] {
    for (const [name, paid] of this.#unripe) if (paid.height < height - hashesKept) this.#unripe.delete(name);
    return [...this.#unripe.values()].filter(paid => paid.height === height);
  }

  /** Blocks after the last known one, up to `best`. */
  async #pathTo(best: string): Promise<Tip[]> {
    const path: Tip[] = [];
    for (let hash: string | undefined = best; hash !== undefined; ) {
      const header: Header = await this.#headerOf(hash);
      if (this.#hashes.get(header.height) === hash) break;
      const above = path.at(-1);
      if (above !== undefined && header.height !== above.height - 1)
        throw new Error('getblockheader: a block does not follow the one before it');
      path.push({ hash, height: header.height });
      hash = header.previousblockhash;
    }
    return path.reverse();
  }

  async #heightOf(hash: string): Promise<number> {
    return (await this.#headerOf(hash)).height;
  }

  async #headerOf(hash: string): Promise<Header> {
    const header = await this.#call<Header>('getblockheader', [hash]);
    if (Number.isSafeInteger(header.height) && header.height >= 0) return header;
    throw new Error('getblockheader: not a header');
  }

  /**
   * Looks through past blocks for scripts that are new; all that wait are looked for together. What was found is told when
   * all is known: a coin that a later block has spent would else seem to be there meanwhile, for as long as blocks are read.
   */
  async #scan(upTo: number): Promise<void> {
    if (this.#toScan.size === 0) return;
    const wanted = this.#toScan;
    this.#toScan = new Map();
    const found: ChainEvent[] = [];
    try {
      const from = Math.max(0, Math.min(...wanted.values()));
      for (let at = from; at <= upTo; at += parallelBlocks) {
        const heights = Array.from({ length: Math.min(parallelBlocks, upTo - at + 1) }, (_, i) => at + i);
        const blocks = await Promise.all(heights.map(height => this.#readBlock(height)));
        blocks.forEach((block, i) => {
          const find = (event: ChainEvent) => {
            if (event.height <= upTo) found.push(event);
          };
          this.#moneyIn(block, heights[i], script => wanted.has(script), find);
        });
      }
    } catch (error) {
      for (const [script, from] of wanted) {
        this.#toScan.set(script, Math.min(from, this.#toScan.get(script) ?? from));
      }
      throw error;
    }
    for (const event of found) this.#tell(event);
  }

  async #readBlock(height: number): Promise<Block> {
    const hash = this.#hashes.get(height) ?? (await this.#call<string>('getblockhash', [height]));
    return this.#call<Block>('getblock', [hash, 2]);
  }

  /**
   * What a block pays to wanted scripts, and spends of all that is watched. What its coinbase pays is in that block from
   * which on it may be spent: before, it is nothing that a wallet could count on.
   */
  #moneyIn(
    block: Block,
    height: number,
    wanted: (script: string) => boolean,
    tell: (event: ChainEvent) => void,
  ): void {
    if (block.tx.length === 0) throw new Error('getblock: a block without a coinbase');
    for (const transaction of block.tx) {
      const isCoinbase = transaction.vin.some(({ txid }) => txid === undefined);
      for (const { txid, vout } of transaction.vin) {
        const spent = this.#outputs.get(`${txid}:${vout}`);
        if (spent === undefined) continue;
        tell({ kind: 'spent', outpoint: spent, transaction: hexBytes(transaction.hex), height });
      }
      transaction.vout.forEach(({ value, scriptPubKey }, index) => {
        const watched = this.#watched.get(scriptPubKey.hex);
        if (watched === undefined || !wanted(scriptPubKey.hex)) return;
        const outpoint = { txid: hashBytes(transaction.txid), index };
        const name = `${transaction.txid}:${index}`;
        if (!this.#outputs.has(name)) watched.outputs.push(name);
        this.#outputs.set(name, outpoint);
        const { script } = watched;
        const paid: Paid = { kind: 'paid', script, outpoint, valueSat: satoshiOfBitcoin(value), height };
        tell(isCoinbase ? this.#ripens(name, paid) : paid);
      });
    }
  }

  #ripens(name: string, paid: Paid): Paid {
    const ripe = { ...paid, height: paid.height + coinbaseMaturity - 1 };
    this.#unripe.set(name, ripe);
    return ripe;
  }

  /** Until the tip changes, a script is added, or a while has passed. */
  async #waitForNews(from: Tip): Promise<void> {
    const woken = new Promise<void>(resolve => {
      this.#wake = resolve;
    });
    if (this.#toScan.size > 0) return;
    this.#polling ??= this.#startPoll(from).then(
      () => undefined,
      (error: unknown) => error,
    );
    const error = await Promise.race([this.#pollEnd(this.#polling), woken]);
    if (error === undefined) return;
    // Before version 29 the poll knows no hash.
    const unknownArgument = error instanceof BitcoindRpcError && (error.code === -1 || error.code === -8);
    if (!this.#pollsByHash || !unknownArgument) throw error;
    this.#pollsByHash = false;
  }

  async #pollEnd(polling: Promise<unknown>): Promise<unknown> {
    const error = await polling;
    this.#polling = undefined;
    return error;
  }

  #startPoll(from: Tip): Promise<unknown> {
    return this.#pollsByHash
      ? this.#poll('waitfornewblock', [pollMs, from.hash], pollMs * 2)
      : this.#poll('waitforblockheight', [from.height + 1, shortPollMs], pollMs);
  }
}

/** Wire order of a hash that bitcoind writes in reverse. */
function hashBytes(text: string): Uint8Array {
  return hexBytes(text).reverse();
}

function hexBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
