import { toHex } from '../base/bytes.ts';
import type { ChainEvent, Outpoint } from '../ports.ts';
import { BitcoindRpcError, satoshiOfBitcoin } from './bitcoind-rpc-client.ts';

type Call = <T>(method: string, parameters: readonly unknown[], timeoutMs?: number) => Promise<T>;

/** Turns what bitcoind says of its best chain into news. */
export interface BlockFollower {
  watch(script: Uint8Array, fromHeight: number): void;
  /** Tells what is new, then waits a while for more. */
  next(): Promise<void>;
}

interface Header {
  readonly height: number;
  readonly previousblockhash?: string;
}

interface Block {
  readonly tx: readonly {
    readonly txid: string;
    readonly hex: string;
    readonly vin: readonly { readonly txid?: string; readonly vout?: number }[];
    readonly vout: readonly { readonly value: number; readonly scriptPubKey: { readonly hex: string } }[];
  }[];
}

/** How long one long poll lasts; a stop or a new script to look for ends the wait at the latest then. */
const pollMs = 10_000;
/** Without the tip's hash in the poll, a block of equal height would go unseen until its end. */
const shortPollMs = 2_000;
/** Hashes kept below the tip, to see where a reorganisation forked. */
const hashesKept = 1_000;
const parallelBlocks = 4;

export function followBlocks(call: Call, poll: Call, tell: (event: ChainEvent) => void): BlockFollower {
  /** Hash in bitcoind's spelling, by height. */
  const hashes = new Map<number, string>();
  const watched = new Map<string, Uint8Array>();
  /** Outputs that pay a watched script, so that their spending is seen. */
  const outputs = new Map<string, Outpoint>();
  const toScan = new Map<string, number>();
  let tip: { readonly hash: string; readonly height: number } | undefined;
  let pollsByHash = true;
  let wake = (): void => {};
  /** The long poll under way; it outlives a wait that a new script ended. */
  let polling: Promise<unknown> | undefined;

  async function begin(): Promise<void> {
    const hash = await call<string>('getbestblockhash', []);
    const { height } = await call<Header>('getblockheader', [hash]);
    const first = Math.max(0, height - hashesKept / 10);
    for (let at = first; at <= height; at++) hashes.set(at, await call<string>('getblockhash', [at]));
    // The chain moved while it was read: the next round sorts it out.
    hashes.set(height, hash);
    tip = { hash, height };
    tell({ kind: 'block', height, hash: hashBytes(hash) });
  }

  /** Walks back from the best block to one that is known, then tells what follows it. */
  async function catchUp(from: { readonly hash: string; readonly height: number }): Promise<void> {
    const best = await call<string>('getbestblockhash', []);
    if (best === from.hash) return;
    const path: { hash: string; height: number }[] = [];
    let hash = best;
    for (;;) {
      const header = await call<Header>('getblockheader', [hash]);
      if (hashes.get(header.height) === hash) break;
      path.push({ hash, height: header.height });
      if (header.previousblockhash === undefined) break;
      hash = header.previousblockhash;
    }
    const last = path.at(-1);
    const forkHeight = last === undefined ? await heightOf(best) : last.height - 1;
    if (forkHeight < from.height) {
      for (const height of [...hashes.keys()]) if (height > forkHeight) hashes.delete(height);
      tip = { hash: hashes.get(forkHeight) ?? '', height: forkHeight };
      tell({ kind: 'reorg', height: forkHeight });
    }
    for (const block of path.reverse()) {
      const found = await call<Block>('getblock', [block.hash, 2]);
      hashes.set(block.height, block.hash);
      hashes.delete(block.height - hashesKept);
      tip = block;
      tell({ kind: 'block', height: block.height, hash: hashBytes(block.hash) });
      tellMoney(found, block.height, () => true);
    }
  }

  async function heightOf(hash: string): Promise<number> {
    return (await call<Header>('getblockheader', [hash])).height;
  }

  /** Looks through past blocks for scripts that are new; all that wait are looked for together. */
  async function scan(upTo: number): Promise<void> {
    if (toScan.size === 0) return;
    const wanted = new Map(toScan);
    toScan.clear();
    try {
      const from = Math.max(0, Math.min(...wanted.values()));
      for (let at = from; at <= upTo; at += parallelBlocks) {
        const heights = Array.from({ length: Math.min(parallelBlocks, upTo - at + 1) }, (_, i) => at + i);
        const blocks = await Promise.all(heights.map(readBlock));
        blocks.forEach((block, i) => {
          tellMoney(block, heights[i], script => wanted.has(script));
        });
      }
    } catch (error) {
      for (const [script, from] of wanted) if (!toScan.has(script)) toScan.set(script, from);
      throw error;
    }
  }

  async function readBlock(height: number): Promise<Block> {
    const hash = hashes.get(height) ?? (await call<string>('getblockhash', [height]));
    return call<Block>('getblock', [hash, 2]);
  }

  function tellMoney(block: Block, height: number, wanted: (script: string) => boolean): void {
    for (const transaction of block.tx) {
      for (const { txid, vout } of transaction.vin) {
        const spent = outputs.get(`${txid}:${vout}`);
        if (spent === undefined) continue;
        tell({ kind: 'spent', outpoint: spent, transaction: hexBytes(transaction.hex), height });
      }
      transaction.vout.forEach(({ value, scriptPubKey }, index) => {
        const script = watched.get(scriptPubKey.hex);
        if (script === undefined || !wanted(scriptPubKey.hex)) return;
        const outpoint = { txid: hashBytes(transaction.txid), index };
        outputs.set(`${transaction.txid}:${index}`, outpoint);
        tell({ kind: 'paid', script, outpoint, valueSat: satoshiOfBitcoin(value), height });
      });
    }
  }

  /** Until the tip changes, a script is added, or a while has passed. */
  async function waitForNews(from: { readonly hash: string; readonly height: number }): Promise<void> {
    const woken = new Promise<void>(resolve => {
      wake = resolve;
    });
    if (toScan.size > 0) return;
    polling ??= startPoll(from).then(
      () => undefined,
      (error: unknown) => error ?? new Error('poll'),
    );
    const ended = polled(polling);
    const error = await Promise.race([ended, woken]);
    if (error === undefined || error === null) return;
    // Before version 29 the poll knows no hash.
    if (pollsByHash && error instanceof BitcoindRpcError && (error.code === -1 || error.code === -8)) {
      pollsByHash = false;
    } else throw error;
  }

  function startPoll(from: { readonly hash: string; readonly height: number }): Promise<unknown> {
    return pollsByHash
      ? poll('waitfornewblock', [pollMs, from.hash], pollMs * 2)
      : poll('waitforblockheight', [from.height + 1, shortPollMs], pollMs);
  }

  async function polled(under: Promise<unknown>): Promise<unknown> {
    const error = await under;
    polling = undefined;
    return error;
  }

  return {
    watch(script, fromHeight) {
      const key = toHex(script);
      watched.set(key, script);
      toScan.set(key, Math.min(fromHeight, toScan.get(key) ?? fromHeight));
      wake();
    },
    async next() {
      if (tip === undefined) await begin();
      if (tip !== undefined) await catchUp(tip);
      if (tip !== undefined) await scan(tip.height);
      if (tip !== undefined) await waitForNews(tip);
    },
  };
}

/** Wire order of a hash that bitcoind writes in reverse. */
function hashBytes(text: string): Uint8Array {
  return hexBytes(text).reverse();
}

function hexBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
