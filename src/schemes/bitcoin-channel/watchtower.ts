import { Transaction } from 'bitcoinjs-lib';
import { isTriedAgain } from '../../bitcoin/channel-machine.ts';
import { regtestRules } from '../../bitcoin/channel-rules.ts';
import { outpointKey, txidText } from '../../bitcoin/outpoint.ts';
import type { Answer, AskId, ChainEvent, ChainPort, Outpoint } from '../../ports.ts';
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
  /** Height from which on its contract was in no block and not in the mempool, T being past. */
  voidSince: number | undefined;
  over: boolean;
}

/**
 * Watches channels for owners that may be down: at its height, and at each block from there on, an order's transaction
 * is offered to the chain until the contract is spent in a block; ever less often once T is past and the contract is nowhere, as its
 * owner does. It holds no key.
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
      const watched = {
        order,
        spent: undefined,
        offered: false,
        fault: undefined,
        voidSince: undefined,
        over: false,
      };
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
        watched.voidSince = undefined;
        if ((watched.spent?.height ?? 0) <= event.height) continue;
        watched.spent = undefined;
        watched.over = false;
      }
    } else if (event.kind === 'paid') {
      for (const watched of this.#of(event.outpoint)) {
        const wasVoid = watched.voidSince !== undefined;
        watched.voidSince = undefined;
        if (wasVoid && this.#tip !== undefined) this.#look(watched, this.#tip);
      }
    } else {
      for (const watched of this.#of(event.outpoint)) {
        const txid = txidText(Transaction.fromBuffer(event.transaction).getHash());
        watched.spent = { height: event.height, txid };
        this.#say('spent', watched, txid);
      }
    }
  }

  onAnswer(answer: Answer): void {
    const watched = this.#asked.get(answer.ask);
    this.#asked.delete(answer.ask);
    if (watched === undefined || watched.spent !== undefined) return;
    if (answer.kind === 'output') this.#onOutput(watched, answer);
    else if (answer.kind === 'broadcast') this.#onBroadcast(watched, answer.fault);
  }

  #onBroadcast(watched: Watched, fault: string | undefined): void {
    const tip = this.#tip ?? 0;
    if (fault === undefined) watched.voidSince = undefined;
    else if (tip >= watched.order.refundHeight) {
      const ask = this.#newAsk();
      this.#asked.set(ask, watched);
      this.#chain.output(watched.order.outpoint, ask);
    }
    if (watched.offered && watched.fault === fault) return;
    watched.offered = true;
    watched.fault = fault;
    this.#say(fault === undefined ? 'offered' : 'refused', watched, idOf(watched.order), fault);
  }

  /** Why it was refused: for its fee, or because there is nothing that it could spend. */
  #onOutput(watched: Watched, { fault, output, spending }: Extract<Answer, { kind: 'output' }>): void {
    if (fault !== undefined) return;
    const isVoid = output === undefined && spending !== true;
    watched.voidSince = isVoid ? (watched.voidSince ?? this.#tip) : undefined;
  }

  /** Past blocks are looked through first, which may take long: what is due by now does not wait for that. */
  #hurry(height: number): void {
    for (const { order } of this.#watched.values())
      if (height >= order.actHeight) this.#chain.broadcast([order.transaction], this.#newAsk());
  }

  #look(watched: Watched, height: number): void {
    const { order, spent, over, voidSince } = watched;
    if (over) return;
    if (spent !== undefined) {
      if (height - spent.height + 1 < regtestRules.finalBlocks) return;
      watched.over = true;
      this.#say('over', watched, spent.txid);
      return;
    }
    if (height < order.actHeight) return;
    if (voidSince !== undefined && !isTriedAgain(height - voidSince, regtestRules)) return;
    const ask = this.#newAsk();
    this.#asked.set(ask, watched);
    this.#chain.broadcast([order.transaction], ask);
    if (order.how === 'payment') this.#raise(order, nameOf(order), height - order.actHeight);
  }

  #of(outpoint: Outpoint): readonly Watched[] {
    return [...this.#watched.values()].filter(
      ({ order }) => outpointKey(order.outpoint) === outpointKey(outpoint),
    );
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
