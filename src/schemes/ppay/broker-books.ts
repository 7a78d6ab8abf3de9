import { toHex } from '../../base/bytes.ts';
import { countedList, struct, u8, u64 } from '../../base/struct.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { Value } from '../../payment/scheme.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import { type CoinPath, coinPath, type RawCoin, rawCoin } from './messages.ts';

/** All that the broker knows of a coin that it sold. */
const coinRecord = struct({
  coin: rawCoin,
  /** What became of it, as far as the broker was told: the oldest first, no two of them in contradiction. */
  paths: countedList(u8, coinPath),
  /** 1: the last of these ends with the broker. */
  deposited: u8,
  /** Paths that contradict these, and by which nobody is convicted yet. */
  claims: countedList(u8, coinPath),
  /** When the owner was first asked about them, in seconds since 1970; 0: it was not. */
  askedSeconds: u64,
  /** 1: somebody was convicted of spending it twice. */
  judged: u8,
});
export type BrokerCoin = {
  readonly coin: RawCoin;
  readonly paths: readonly CoinPath[];
  readonly deposited: number;
  readonly claims: readonly CoinPath[];
  readonly askedSeconds: bigint;
  readonly judged: number;
};

const counterRecord = struct({ last: u64 });

/** The broker's records of coins, and of what owners that were away must hear. */
export class BrokerBooks {
  readonly #coins: RecordBook<BrokerCoin>;
  readonly #queue: RecordBook<CoinPath>;
  readonly #counter: RecordBook<{ readonly last: bigint }>;
  /** By owner: the coins that it is asked about. */
  readonly #wanted = new Map<string, Set<string>>();
  #outstanding = 0n;

  constructor(store: Pick<StorePort, 'list'>) {
    this.#coins = new RecordBook(store, 'ppay/coin/', coinRecord);
    this.#queue = new RecordBook(store, 'ppay/queue/', coinPath);
    this.#counter = new RecordBook(store, 'ppay/queued/', counterRecord);
    for (const [serial, record] of this.#coins.entries()) {
      if (record.deposited === 0) this.#outstanding += record.coin.value;
      this.#noteWanted(serial, record);
    }
  }

  /** Value of coins that were sold and not handed in. */
  get outstandingMsat(): Value {
    return this.#outstanding;
  }

  get(serial: string): BrokerCoin | undefined {
    return this.#coins.get(serial);
  }

  sold(coin: RawCoin): StoreWrite {
    this.#outstanding += coin.value;
    const record = { coin, paths: [], deposited: 0, claims: [], askedSeconds: 0n, judged: 0 };
    return this.#coins.put(toHex(coin.serial), record);
  }

  put(serial: string, record: BrokerCoin): StoreWrite {
    const before = this.#coins.get(serial);
    if (before?.deposited === 0 && record.deposited === 1) this.#outstanding -= record.coin.value;
    this.#noteWanted(serial, record);
    return this.#coins.put(serial, record);
  }

  /** Coins whose owners have been asked since before that time and have shown nothing. */
  overdue(beforeSeconds: bigint): readonly (readonly [serial: string, record: BrokerCoin])[] {
    return [...this.#wanted.values()]
      .flatMap(serials => [...serials])
      .map(serial => [serial, this.#coins.get(serial)] as const)
      .filter(
        (each): each is readonly [string, BrokerCoin] =>
          each[1] !== undefined && each[1].askedSeconds <= beforeSeconds,
      );
  }

  /** Coins that this owner is asked about. */
  wantedOf(owner: Uint8Array): readonly string[] {
    return [...(this.#wanted.get(toHex(owner)) ?? [])];
  }

  /** The owner must hear of the path when it comes back. */
  queue(path: CoinPath): readonly StoreWrite[] {
    const last = (this.#counter.get('last')?.last ?? 0n) + 1n;
    const id = `${toHex(path.assigned.coin.owner)}/${last.toString(16).padStart(16, '0')}`;
    return [this.#counter.put('last', { last }), this.#queue.put(id, path)];
  }

  /** What that owner must hear beyond the entry of that number, with each entry's number. */
  queued(owner: Uint8Array, after: bigint): readonly (readonly [entry: bigint, path: CoinPath])[] {
    return this.#queueOf(owner)
      .filter(([, entry]) => entry > after)
      .map(([, entry, path]) => [entry, path] as const);
  }

  /** That owner has heard all up to the entry. */
  heard(owner: Uint8Array, upTo: bigint): readonly StoreWrite[] {
    return this.#queueOf(owner)
      .filter(([, entry]) => entry <= upTo)
      .map(([id]) => this.#queue.drop(id));
  }

  #queueOf(owner: Uint8Array): readonly (readonly [id: string, entry: bigint, path: CoinPath])[] {
    const prefix = `${toHex(owner)}/`;
    return [...this.#queue.entries()]
      .filter(([id]) => id.startsWith(prefix))
      .map(([id, path]) => [id, BigInt(`0x${id.slice(prefix.length)}`), path] as const)
      .sort(([, a], [, b]) => (a < b ? -1 : 1));
  }

  #noteWanted(serial: string, { coin, askedSeconds, judged }: BrokerCoin): void {
    const owner = toHex(coin.owner);
    const serials = this.#wanted.get(owner) ?? new Set();
    if (askedSeconds > 0n && judged === 0) serials.add(serial);
    else serials.delete(serial);
    if (serials.size === 0) this.#wanted.delete(owner);
    else this.#wanted.set(owner, serials);
  }
}
