import { assert } from '../base/assert.ts';
import { toHex } from '../base/bytes.ts';
import type { Answer, AnswerHandler, AskId, ChainEvent, ChainPort, Outpoint } from '../ports.ts';
import type { Block, SimChain } from './sim-chain.ts';
import type { SimNode } from './sim-node.ts';
import { outpointKey } from './transaction-bytes.ts';

export interface ChainPortOptions {
  /** How long a request takes, and a block until the node hears of it. */
  readonly latencyMs: number;
}

interface Watched {
  readonly script: Uint8Array;
  /** What pays it, by outpointKey. */
  readonly outputs: string[];
}

const unreachable = 'chain unreachable';

/** One node's view of the chain: its own watched scripts, its own delay, its own outages. */
export class SimChainPort implements ChainPort {
  readonly #node: SimNode;
  readonly #chain: SimChain;
  readonly #latencyUs: number;
  #handler: AnswerHandler | undefined;
  #watched = new Map<string, Watched>();
  /** Outputs that pay a watched script, by outpoint, so that their spending is seen. */
  #outputs = new Map<string, Outpoint>();
  #tipTold = false;
  #lastNewsUs = 0;
  #reachable = true;
  #heldBack: ChainEvent[] = [];
  readonly #stopListening: () => void;

  constructor(node: SimNode, chain: SimChain, options: Partial<ChainPortOptions> = {}) {
    this.#node = node;
    this.#chain = chain;
    this.#latencyUs = Math.round((options.latencyMs ?? 20) * 1_000);
    this.#stopListening = chain.listen({
      connected: block => this.#tellBlock(block),
      disconnected: height => this.#tell({ kind: 'reorg', height }),
    });
  }

  /** The first block is the tip; what is known of watched scripts comes before. */
  attach(handler: AnswerHandler): void {
    this.#handler = handler;
    this.#tellTip();
    const { height, hash } = this.#chain.tip;
    this.#tell({ kind: 'block', height, hash });
  }

  broadcast(transactions: readonly Uint8Array[], ask: AskId): void {
    for (const bytes of transactions) this.#node.called('chain broadcast', ask, 0, bytes);
    const offered = transactions.map(bytes => bytes.slice());
    this.#ask(() => {
      const fault = this.#reachable ? this.#chain.offer(offered) : unreachable;
      return fault === undefined ? { kind: 'broadcast', ask } : { kind: 'broadcast', ask, fault };
    });
  }

  output(outpoint: Outpoint, ask: AskId): void {
    this.#node.called('chain output', ask, outpoint.index, outpoint.txid);
    const asked = { txid: outpoint.txid.slice(), index: outpoint.index };
    this.#ask(() => {
      if (!this.#reachable) return { kind: 'output', ask, fault: unreachable };
      const found = this.#chain.unspent(asked);
      if (found === undefined) {
        const isSpent = this.#chain.mempool.spends(outpointKey(asked));
        return isSpent ? { kind: 'output', ask, spending: true } : { kind: 'output', ask };
      }
      const { script, valueSat } = found.coin;
      return { kind: 'output', ask, output: { script, valueSat, confirmations: found.confirmations } };
    });
  }

  feerate(ask: AskId): void {
    this.#node.called('chain feerate', ask);
    this.#ask(() => {
      if (!this.#reachable) return { kind: 'feerate', ask, fault: unreachable };
      const floor = this.#chain.mempool.floorSatPerKvb;
      const mined = this.#chain.minedSatPerKvb;
      return { kind: 'feerate', ask, satPerKvb: mined > floor ? mined : floor };
    });
  }

  watch(script: Uint8Array, fromHeight: number): void {
    this.#node.called('chain watch', 0, fromHeight, script);
    const key = toHex(script);
    if (!this.#watched.has(key)) this.#watched.set(key, { script: script.slice(), outputs: [] });
    this.#tellTip();
    const scripts = new Set([key]);
    for (const block of this.#chain.blocksTouching(key, fromHeight)) this.#tellMoney(block, scripts);
  }

  unwatch(script: Uint8Array): void {
    this.#node.called('chain unwatch', 0, 0, script);
    const key = toHex(script);
    for (const output of this.#watched.get(key)?.outputs ?? []) this.#outputs.delete(output);
    this.#watched.delete(key);
  }

  /** While false, requests answer with a fault and news waits. */
  reach(reachable: boolean): void {
    this.#reachable = reachable;
    if (!reachable) return;
    const held = this.#heldBack;
    this.#heldBack = [];
    for (const event of held) this.#tell(event);
  }

  /** The process died and watches nothing any more. */
  forget(): void {
    this.#stopListening();
    this.#watched.clear();
    this.#outputs.clear();
    this.#heldBack = [];
  }

  #ask(answer: () => Answer): void {
    this.#node.later(this.#latencyUs, () => {
      const given = answer();
      this.#node.told(`chain answer ${given.kind} ${'fault' in given ? given.fault : ''}`, given.ask);
      this.#to.onAnswer(given);
    });
  }

  /** Before anything that is in blocks. */
  #tellTip(): void {
    if (!this.#tipTold) this.#tell({ kind: 'tip', height: this.#chain.tip.height });
    this.#tipTold = true;
  }

  #tellBlock(block: Block): void {
    this.#tell({ kind: 'block', height: block.height, hash: block.hash });
    const scripts = new Set([...block.touches].filter(key => this.#watched.has(key)));
    if (scripts.size > 0) this.#tellMoney(block, scripts);
  }

  #tellMoney(block: Block, scripts: ReadonlySet<string>): void {
    const { height } = block;
    for (const transaction of block.transactions) {
      for (const { outpoint } of transaction.inputs) {
        const watched = this.#outputs.get(outpointKey(outpoint));
        if (watched === undefined || !scripts.has(this.#scriptOf(block, outpoint))) continue;
        this.#tell({ kind: 'spent', outpoint: watched, transaction: transaction.bytes, height });
      }
      transaction.outputs.forEach(({ script, valueSat }, index) => {
        const key = toHex(script);
        const watched = scripts.has(key) ? this.#watched.get(key) : undefined;
        if (watched === undefined) return;
        const outpoint = { txid: transaction.txid, index };
        const name = outpointKey(outpoint);
        if (!this.#outputs.has(name)) watched.outputs.push(name);
        this.#outputs.set(name, outpoint);
        this.#tell({ kind: 'paid', script: watched.script, outpoint, valueSat, height });
      });
    }
  }

  #scriptOf(block: Block, outpoint: Outpoint): string {
    const coin = block.spent.get(outpointKey(outpoint));
    return coin === undefined ? '' : toHex(coin.script);
  }

  /** News keeps its order. */
  #tell(event: ChainEvent): void {
    if (!this.#reachable) {
      this.#heldBack.push(event);
      return;
    }
    const { nowUs } = this.#node.world;
    this.#lastNewsUs = Math.max(this.#lastNewsUs, nowUs + this.#latencyUs);
    this.#node.later(this.#lastNewsUs - nowUs, () => {
      this.#node.told(`chain ${event.kind}`, 0, event.height);
      this.#to.onChain(event);
    });
  }

  get #to(): AnswerHandler {
    assert(this.#handler !== undefined, `${this.#node.name} has attached an answer handler`);
    return this.#handler;
  }
}
