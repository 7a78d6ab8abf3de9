import { Transaction } from 'bitcoinjs-lib';
import { regtestRules } from '../../bitcoin/channel-rules.ts';
import { outpointKey, txidText } from '../../bitcoin/outpoint.ts';
import type { Answer, AskId, ChainEvent, ChainPort } from '../../ports.ts';
import type { WatchOrder } from './watch-order.ts';

/** What became of an order. `over`: its contract is spent, and hardly a reorganisation can change that. */
export type WatchState = 'waiting' | 'due' | 'spent' | 'over';

/** An order and where it stands. */
export interface WatchRow extends WatchOrder {
  /** TXID:INDEX of the contract. */
  readonly contract: string;
  readonly state: WatchState;
  /** What spent the contract, in a block; or what would. */
  readonly txid: string;
  /** Blocks until the tower acts. */
  readonly blocksLeft: number;
}

export interface TowerNews {
  readonly event: 'taken' | 'offered' | 'refused' | 'spent' | 'over';
  readonly contract: string;
  readonly how: 'payment' | 'refund';
  readonly txid: string;
  readonly height: number;
  /** Why the chain refused it. */
  readonly fault?: string;
}

interface Watched {
  order: WatchOrder;
  spent: { readonly height: number; readonly txid: string } | undefined;
  /** It has been offered once: the same news is not told at each block. */
  offered: boolean;
  fault: string | undefined;
  over: boolean;
}

/**
 * Watches channels for owners that may be down: at its height, and at each block from there on, an order's transaction
 * is offered to the chain until the contract is spent in a block. It holds no key.
 */
export class Watchtower {
  readonly #chain: ChainPort;
  readonly #newAsk: () => AskId;
  readonly #tell: (news: TowerNews) => void;
  /** Offers a payment once more, with a child that raises its fee. */
  readonly #raise: (order: WatchOrder, contract: string, blocksWaited: number) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #asked = new Map<AskId, Watched>();
  #tip: number | undefined;

  constructor(host: {
    readonly chain: ChainPort;
    readonly newAsk: () => AskId;
    readonly tell: (news: TowerNews) => void;
    readonly raise: (order: WatchOrder, contract: string, blocksWaited: number) => void;
  }) {
    this.#chain = host.chain;
    this.#newAsk = host.newAsk;
    this.#tell = host.tell;
    this.#raise = host.raise;
  }

  get rows(): readonly WatchRow[] {
    const tip = this.#tip ?? 0;
    return [...this.#watched.values()].map(({ order, spent, over }) => ({
      ...order,
      contract: nameOf(order),
      state: over ? 'over' : spent !== undefined ? 'spent' : tip >= order.actHeight ? 'due' : 'waiting',
      txid: spent?.txid ?? idOf(order),
      blocksLeft: Math.max(0, order.actHeight - tip),
    }));
  }

  /** More orders, or newer ones. None is forgotten because it is missing: its owner may have lost it. */
  take(orders: readonly WatchOrder[]): void {
    for (const order of orders) {
      const key = `${outpointKey(order.outpoint)} ${order.how}`;
      const known = this.#watched.get(key);
      if (known !== undefined) {
        if (order.paidSat > known.order.paidSat) known.order = order;
        continue;
      }
      const watched = { order, spent: undefined, offered: false, fault: undefined, over: false };
      this.#watched.set(key, watched);
      this.#chain.watch(order.contractScript, order.fromHeight);
      this.#say('taken', watched, idOf(order));
      if (this.#tip !== undefined) this.#look(watched, this.#tip);
    }
  }

  onChain(event: ChainEvent): void {
    if (event.kind === 'tip') this.#hurry(event.height);
    else if (event.kind === 'block') {
      this.#tip = event.height;
      for (const watched of this.#watched.values()) this.#look(watched, event.height);
    } else if (event.kind === 'reorg') {
      this.#tip = event.height;
      for (const watched of this.#watched.values()) {
        if ((watched.spent?.height ?? 0) <= event.height) continue;
        watched.spent = undefined;
        watched.over = false;
      }
    } else if (event.kind === 'spent') {
      for (const watched of this.#watched.values()) {
        if (outpointKey(watched.order.outpoint) !== outpointKey(event.outpoint)) continue;
        const txid = txidText(Transaction.fromBuffer(event.transaction).getHash());
        watched.spent = { height: event.height, txid };
        this.#say('spent', watched, txid);
      }
    }
  }

  onAnswer(answer: Answer): void {
    const watched = this.#asked.get(answer.ask);
    this.#asked.delete(answer.ask);
    if (watched === undefined || answer.kind !== 'broadcast' || watched.spent !== undefined) return;
    const { fault } = answer;
    if (watched.offered && watched.fault === fault) return;
    watched.offered = true;
    watched.fault = fault;
    this.#say(fault === undefined ? 'offered' : 'refused', watched, idOf(watched.order), fault);
  }

  /** Past blocks are looked through first, which may take long: what is due by now does not wait for that. */
  #hurry(height: number): void {
    for (const { order } of this.#watched.values())
      if (height >= order.actHeight) this.#chain.broadcast([order.transaction], this.#newAsk());
  }

  #look(watched: Watched, height: number): void {
    const { order, spent, over } = watched;
    if (over) return;
    if (spent !== undefined) {
      if (height - spent.height + 1 < regtestRules.finalBlocks) return;
      watched.over = true;
      this.#say('over', watched, spent.txid);
      return;
    }
    if (height < order.actHeight) return;
    const ask = this.#newAsk();
    this.#asked.set(ask, watched);
    this.#chain.broadcast([order.transaction], ask);
    if (order.how === 'payment') this.#raise(order, nameOf(order), height - order.actHeight);
  }

  #say(event: TowerNews['event'], { order }: Watched, txid: string, fault?: string): void {
    const news = { event, contract: nameOf(order), how: order.how, txid, height: this.#tip ?? 0 };
    this.#tell(fault === undefined ? news : { ...news, fault });
  }
}

function nameOf({ outpoint }: WatchOrder): string {
  return `${txidText(outpoint.txid)}:${outpoint.index}`;
}

function idOf({ transaction }: WatchOrder): string {
  return txidText(Transaction.fromBuffer(transaction).getHash());
}
